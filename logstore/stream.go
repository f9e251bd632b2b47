package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// Stream is a stream of a group, and what it holds.
type Stream struct {
	Name      string
	CreatedAt int64 // epoch milliseconds
	// First and Last are the times of its oldest and newest event, Ingested is when its last one came; 0 if it has none.
	First, Last, Ingested int64
	Events, Bytes         int64
}

type stream struct {
	number    uint32
	name      string
	createdAt int64
	made      uint64 // Seq of its making, 0 if that was not counted
	summary
}

func (s *stream) show() Stream {
	return Stream{s.name, s.createdAt, s.first, s.last, s.ingested, s.count, s.bytes}
}

// What is in the frames of a group's file of streams.
const (
	streamMade = iota + 1
	streamGone
	streamNext // the number of the next stream, where gone ones were left out
)

// A roll is the file with the names of a group's streams. Numbers are given once: events of a stream that is gone may be there
// for long.
type roll struct {
	file   *os.File
	size   int64
	next   uint32
	dead   int // entries that are no use any more
	byName map[string]*stream
	byID   map[uint32]*stream
	ops    []rollOp // those that were counted, in their order
}

// A rollOp is a stream that was made, or the name of one that is gone.
type rollOp struct {
	seq  uint64
	made *stream
	gone string
}

// lastSeq is the Seq of the last operation.
func (r *roll) lastSeq() uint64 {
	if len(r.ops) == 0 {
		return 0
	}
	return r.ops[len(r.ops)-1].seq
}

func openRoll(path string, sync func(*os.File) error) (*roll, error) {
	r := &roll{next: 1, byName: map[string]*stream{}, byID: map[uint32]*stream{}}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for {
		payload, ok := nextFrame(b[r.size:])
		if !ok || !r.apply(payload) {
			break
		}
		r.size += frameHead + int64(len(payload))
	}
	if r.dead > len(r.byID)+100 {
		if err := r.rewrite(path, sync); err != nil {
			return nil, err
		}
	}
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return nil, err
	}
	if err := r.file.Truncate(r.size); err != nil { // a torn end
		r.file.Close()
		return nil, err
	}
	return r, nil
}

// apply takes what a frame says.
func (r *roll) apply(payload []byte) bool {
	in := reader{b: payload}
	kind, id := in.uint(), in.id()
	switch kind {
	case streamMade:
		s := &stream{number: id, createdAt: in.int(), name: string(in.bytes()), made: in.last()}
		if in.bad {
			return false
		}
		r.byName[s.name], r.byID[id] = s, s
		r.next = max(r.next, id+1)
		r.note(rollOp{seq: s.made, made: s})
	case streamGone:
		seq := in.last()
		if s := r.byID[id]; s != nil {
			delete(r.byName, s.name)
			delete(r.byID, id)
			r.note(rollOp{seq: seq, gone: s.name})
		}
		r.dead += 2
	case streamNext:
		r.next = max(r.next, id)
	default:
		return false
	}
	return !in.bad
}

// note remembers an operation, if it was counted. A roll that was rewritten has its streams in no order.
func (r *roll) note(op rollOp) {
	if op.seq == 0 {
		return
	}
	at := sort.Search(len(r.ops), func(i int) bool { return r.ops[i].seq > op.seq })
	r.ops = slices.Insert(r.ops, at, op)
}

func (s *stream) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, streamMade), uint64(s.number))
	b = binary.AppendVarint(b, s.createdAt)
	b = binary.AppendUvarint(b, uint64(len(s.name)))
	return appendLast(append(b, s.name...), s.made)
}

// appendLast adds a Seq at the end of a frame, if there is one: frames from before there were several members have none.
func appendLast(b []byte, seq uint64) []byte {
	if seq == 0 {
		return b
	}
	return binary.AppendUvarint(b, seq)
}

// gone is the frame that says that a stream is gone.
func (s *stream) gone(seq uint64) func([]byte) []byte {
	return func(b []byte) []byte {
		return appendLast(binary.AppendUvarint(append(b, streamGone), uint64(s.number)), seq)
	}
}

// rewrite leaves out what is gone.
func (r *roll) rewrite(path string, sync func(*os.File) error) error {
	var b bytes.Buffer
	b.Write(appendFrame(nil, func(p []byte) []byte { return binary.AppendUvarint(append(p, streamNext), uint64(r.next)) }))
	for _, s := range r.byID {
		b.Write(appendFrame(nil, s.append))
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b.Bytes()); err != nil {
		return err
	}
	if err := sync(f); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	r.size, r.dead = int64(b.Len()), 0
	return syncDir(filepath.Dir(path))
}

// write adds frames and takes them once they are on the disk.
func (r *roll) write(sync func(*os.File) error, builds ...func([]byte) []byte) error {
	var b []byte
	for _, build := range builds {
		b = appendFrame(b, build)
	}
	_, err := r.file.WriteAt(b, r.size)
	if err == nil {
		err = sync(r.file)
	}
	if err != nil {
		return errors.Join(err, r.file.Truncate(r.size))
	}
	r.size += int64(len(b))
	for payload, ok := nextFrame(b); ok; payload, ok = nextFrame(b) {
		r.apply(payload)
		b = b[frameHead+len(payload):]
	}
	return nil
}
