package logstore

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/big"
)

// Event is one line of a stream. Times are epoch milliseconds.
type Event struct {
	Time     int64
	Ingested int64
	Seq      uint64 // counts the events of a group in the order in which they came; with Time it is an event's place
	Stream   string
	Message  string

	stream uint32
	lock   uint32 // of the file that it stands in; 0 if it is not encrypted
}

// Position is the place of an event in its group.
type Position struct {
	Time int64
	Seq  uint64
}

// At is the event's place.
func (e *Event) At() Position { return Position{e.Time, e.Seq} }

// Compare orders places: by time, and events of one time as they came.
func (p Position) Compare(o Position) int {
	return cmp.Or(cmp.Compare(p.Time, o.Time), cmp.Compare(p.Seq, o.Seq))
}

// Before is the place right before p, and Behind the one right behind it.
func (p Position) Before() Position {
	if p.Seq == 0 {
		return Position{p.Time - 1, math.MaxUint64}
	}
	return Position{p.Time, p.Seq - 1}
}

// Behind is the opposite of Before.
func (p Position) Behind() Position {
	if p.Seq == math.MaxUint64 {
		return Position{p.Time + 1, 0}
	}
	return Position{p.Time, p.Seq + 1}
}

// Text is the place as 56 digits, in whose order places are.
func (p Position) Text() string {
	n := new(big.Int).Lsh(big.NewInt(p.Time), 64)
	return fmt.Sprintf("%056s", n.Or(n, new(big.Int).SetUint64(p.Seq)).String())
}

var (
	// ErrNoStream says that the group has no such stream.
	ErrNoStream = errors.New("no such log stream")
	// ErrExists says that the group has a stream of that name.
	ErrExists = errors.New("the log stream exists")
	// ErrRemoved says that the group was removed meanwhile.
	ErrRemoved = errors.New("the log group was removed")

	errDamaged = errors.New("damaged data")
)

// frameHead is what goes before each frame of a journal: the payload's length and its checksum.
const frameHead = 8

func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// What a journal's frame begins with, if it is not the number of a stream and then events.
const (
	frameLock   = 1<<32 + iota // a data key, wrapped
	_                          // events whose encryption was tied to their file; for one day of the tree's history
	frameLocked                // events that are encrypted with one
)

// appendFrame adds a frame whose payload build appends.
func appendFrame(dst []byte, build func([]byte) []byte) []byte {
	at := len(dst)
	dst = build(append(dst, make([]byte, frameHead)...))
	payload := dst[at+frameHead:]
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(dst[at+4:], castagnoli(payload))
	return dst
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// nextFrame returns the payload of the first frame of b; none if b ends within it or its checksum is wrong.
func nextFrame(b []byte) (payload []byte, ok bool) {
	if len(b) < frameHead {
		return nil, false
	}
	n, sum := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	if n == 0 || uint64(n) > uint64(len(b)-frameHead) { // zeros are what a crash leaves of a file that had grown
		return nil, false
	}
	payload = b[frameHead : frameHead+int(n)]
	return payload, castagnoli(payload) == sum
}

// A reader takes numbers and strings off a buffer; after the first that is not there it is bad and yields zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	return skip(r, v, n)
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	return skip(r, v, n)
}

func skip[T uint64 | int64](r *reader, v T, n int) T {
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// id is a stream's number.
func (r *reader) id() uint32 {
	v := r.uint()
	if v > math.MaxUint32 {
		r.bad = true
	}
	return uint32(v)
}

// last is the number at the end of a frame, 0 if the frame ends before it.
func (r *reader) last() uint64 {
	if r.bad || len(r.b) == 0 {
		return 0
	}
	return r.uint()
}

// text is a string behind its length.
func (r *reader) text() string { return string(r.bytes()) }

// bytes returns the next n bytes behind their length.
func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// A batch is what one Append brings, in a journal's frame.
type batch struct {
	name     string // of the stream, where it has to be known
	stream   uint32
	ingested int64
	before   uint64 // Seq of the event before the first
	events   []Event
	key      *Key // nil to leave them in clear
}

func (b *batch) lastSeq() uint64 { return b.before + uint64(len(b.events)) }

func (b *batch) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.stream))
	dst = binary.AppendVarint(dst, b.ingested)
	dst = binary.AppendUvarint(dst, b.before+1)
	dst = binary.AppendUvarint(dst, uint64(len(b.events)))
	before := b.ingested
	for i := range b.events {
		e := &b.events[i]
		dst = binary.AppendVarint(dst, e.Time-before)
		dst = binary.AppendUvarint(dst, uint64(len(e.Message)))
		dst = append(dst, e.Message...)
		before = e.Time
	}
	return dst
}

func parseBatch(payload []byte) (batch, error) {
	r := reader{b: payload}
	b := batch{stream: r.id(), ingested: r.int()}
	seq, n := r.uint(), r.uint()
	if n > uint64(len(payload)) {
		return b, errDamaged
	}
	b.before, b.events = seq-1, make([]Event, 0, n)
	before := b.ingested
	for i := range n {
		e := Event{Time: before + r.int(), Ingested: b.ingested, Seq: seq + i, stream: b.stream, Message: string(r.bytes())}
		before = e.Time
		b.events = append(b.events, e)
	}
	if r.bad || seq == 0 {
		return b, errDamaged
	}
	return b, nil
}

// A block is events in the order of a sealed file.
func appendBlock(dst []byte, events []Event) []byte {
	var last Event
	for i := range events {
		e := &events[i]
		dst = binary.AppendUvarint(dst, uint64(e.stream-last.stream))
		dst = binary.AppendVarint(dst, e.Time-last.Time)
		dst = binary.AppendVarint(dst, int64(e.Seq-last.Seq))
		dst = binary.AppendVarint(dst, e.Ingested-last.Ingested)
		dst = binary.AppendUvarint(dst, uint64(len(e.Message)))
		dst = append(dst, e.Message...)
		last = *e
	}
	return dst
}

// parseBlock yields the block's events; the message is valid until the next only.
func parseBlock(b []byte, yield func(*Event, []byte)) error {
	r := reader{b: b}
	var e Event
	for len(r.b) > 0 {
		e.stream += r.id()
		e.Time += r.int()
		e.Seq += uint64(r.int())
		e.Ingested += r.int()
		m := r.bytes()
		if r.bad {
			return errDamaged
		}
		yield(&e, m)
	}
	return nil
}
