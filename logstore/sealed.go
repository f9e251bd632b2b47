package logstore

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"unsafe"

	"github.com/klauspost/compress/zstd"
)

const (
	blockBytes  = 256 << 10 // of a block, uncompressed: a longer one compresses little better, and one line costs its whole block
	magic       = "rslogs01"
	magicLocked = "rslogs02" // some blocks are encrypted
	trailerSize = 8 + 4 + 4  // magic, length and checksum of the index
)

// sealed is what is remembered of a file of blocks; its index is read when it is needed.
type sealed struct {
	number uint64
	size   int64 // of the file
	summary
	lastSeq uint64
}

// index is what a sealed file says of itself, behind its blocks.
type index struct {
	lastSeq uint64
	streams []streamSummary // of a run of blocks
	blocks  []block
	locks   []lock
}

type streamSummary struct {
	stream uint32
	summary
}

type block struct {
	from, to uint32 // streams
	at       int64
	length   int
	lock     uint32 // 0 if it is not encrypted
	closed   bool   // it is a journal's frame as it was: nobody had the key when the file was made
	summary
}

// codec compresses, for all groups.
type codec struct {
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	buffers sync.Pool // of *buffers
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(512<<10))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(64<<20))
	return &codec{enc: enc, dec: dec, buffers: sync.Pool{New: func() any { return new(buffers) }}}, err
}

// seal writes events into a new file, which is there as a whole or not at all. It sorts them.
func (c *codec) seal(path string, s *segment, sync func(*os.File) error) (*sealed, []streamSummary, error) {
	slices.SortFunc(s.events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.lock, b.lock), cmp.Compare(a.stream, b.stream), a.At().Compare(b.At()))
	})
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 64<<10)
	ix, size, err := c.writeBlocks(w, s)
	if err == nil {
		var n int
		n, err = w.Write(c.appendIndex(nil, ix))
		size += int64(n)
	}
	if err = errors.Join(err, w.Flush()); err == nil {
		err = sync(f)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("seal %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, nil, err
	}
	return ix.file(s.locks.number, size), ix.streams, nil
}

func (c *codec) writeBlocks(w io.Writer, s *segment) (*index, int64, error) {
	ix := &index{locks: s.locks.list}
	var raw, packed []byte
	at := int64(0)
	for events := s.events; len(events) > 0; {
		b, n := block{from: events[0].stream, lock: events[0].lock, at: at}, 0
		for size := 0; n < len(events) && events[n].lock == b.lock && (n == 0 || size < blockBytes); n++ {
			e := &events[n]
			size += len(e.Message) + 8
			b.to = e.stream
			b.add(e)
			ix.lastSeq = max(ix.lastSeq, e.Seq)
			if k := len(ix.streams); k == 0 || ix.streams[k-1].stream != e.stream {
				ix.streams = append(ix.streams, streamSummary{stream: e.stream})
			}
			ix.streams[len(ix.streams)-1].add(e)
		}
		raw = appendBlock(raw[:0], events[:n])
		packed = c.enc.EncodeAll(raw, packed[:0])
		text := packed
		if b.lock != 0 {
			var err error
			if text, err = s.locks.close(&b, packed); err != nil {
				return nil, 0, err
			}
		}
		if _, err := w.Write(text); err != nil {
			return nil, 0, err
		}
		b.length = len(text)
		at += int64(len(text))
		ix.blocks = append(ix.blocks, b)
		events = events[n:]
	}
	for _, f := range s.closed {
		if _, err := w.Write(f.payload); err != nil {
			return nil, 0, err
		}
		ix.blocks = append(ix.blocks, block{from: f.stream, to: f.stream, at: at, length: len(f.payload), lock: f.lock, closed: true, summary: f.summary})
		ix.streams = append(ix.streams, streamSummary{f.stream, f.summary})
		ix.lastSeq = max(ix.lastSeq, f.lastSeq)
		at += int64(len(f.payload))
	}
	return ix, at, nil
}

func (ix *index) file(number uint64, size int64) *sealed {
	s := &sealed{number: number, size: size, lastSeq: ix.lastSeq}
	for _, st := range ix.streams {
		s.merge(st.summary)
	}
	return s
}

func (c *codec) appendIndex(dst []byte, ix *index) []byte {
	locked, name := len(ix.locks) > 0, magic
	b := binary.AppendUvarint(nil, ix.lastSeq)
	if locked {
		name = magicLocked
		b = binary.AppendUvarint(b, uint64(len(ix.locks)))
		for i := range ix.locks {
			b = binary.AppendUvarint(b, uint64(len(ix.locks[i].wrapped)))
			b = append(b, ix.locks[i].wrapped...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(ix.streams)))
	for i := range ix.streams {
		b = binary.AppendUvarint(b, uint64(ix.streams[i].stream))
		b = ix.streams[i].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(ix.blocks)))
	for i := range ix.blocks {
		k := &ix.blocks[i]
		for _, n := range []uint64{uint64(k.from), uint64(k.to), uint64(k.at), uint64(k.length)} {
			b = binary.AppendUvarint(b, n)
		}
		b = k.append(b)
		if locked {
			b = k.appendLock(b)
		}
	}
	at := len(dst)
	dst = c.enc.EncodeAll(b, dst)
	n, sum := len(dst)-at, castagnoli(dst[at:])
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	return append(dst, name...)
}

// readIndex reads what a sealed file says of itself.
func (c *codec) readIndex(f *os.File) (*index, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	size := info.Size()
	if size < trailerSize {
		return nil, 0, errDamaged
	}
	t := make([]byte, trailerSize)
	if _, err := f.ReadAt(t, size-trailerSize); err != nil {
		return nil, 0, err
	}
	n := int64(binary.LittleEndian.Uint32(t))
	locked := string(t[8:]) == magicLocked
	if !locked && string(t[8:]) != magic || n > size-trailerSize {
		return nil, 0, errDamaged
	}
	packed := make([]byte, n)
	if _, err := f.ReadAt(packed, size-trailerSize-n); err != nil {
		return nil, 0, err
	}
	if castagnoli(packed) != binary.LittleEndian.Uint32(t[4:]) {
		return nil, 0, errDamaged
	}
	b, err := c.dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, 0, err
	}
	ix, err := parseIndex(b, locked)
	return ix, size, err
}

func parseIndex(b []byte, locked bool) (*index, error) {
	r := reader{b: b}
	ix := &index{lastSeq: r.uint()}
	if locked {
		for n := r.uint(); n > 0 && !r.bad; n-- {
			ix.locks = append(ix.locks, lock{wrapped: r.bytes()})
		}
	}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		ix.streams = append(ix.streams, streamSummary{r.id(), r.summary()})
	}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		k := block{from: r.id(), to: r.id(), at: int64(r.uint()), length: int(r.uint()), summary: r.summary()}
		if locked {
			k.readLock(&r)
		}
		ix.blocks = append(ix.blocks, k)
	}
	if r.bad {
		return nil, errDamaged
	}
	return ix, nil
}

// read returns the events of a block that want says yes to, and match to their messages. Match may be nil.
func (c *codec) read(f io.ReaderAt, k *block, l *locks, want func(*Event) bool, match func(string) bool) ([]Event, error) {
	b := c.buffers.Get().(*buffers)
	defer c.buffers.Put(b)
	b.packed = slices.Grow(b.packed[:0], k.length)[:k.length]
	if _, err := f.ReadAt(b.packed, k.at); err != nil {
		return nil, err
	}
	packed := b.packed
	var err error
	switch {
	case k.closed:
		batch, err := l.frame(packed)
		return slices.DeleteFunc(batch.events, func(e Event) bool { return !want(&e) || match != nil && !match(e.Message) }), err
	case k.lock != 0:
		if b.open, err = l.block(b.open, k, packed); err != nil {
			return nil, err
		}
		packed = b.open
	}
	if b.raw, err = c.dec.DecodeAll(packed, b.raw[:0]); err != nil {
		return nil, err
	}
	var events []Event
	err = parseBlock(b.raw, func(e *Event, message []byte) {
		if want(e) && (match == nil || match(unsafe.String(unsafe.SliceData(message), len(message)))) {
			kept := *e
			kept.Message, kept.lock = string(message), k.lock
			events = append(events, kept)
		}
	})
	return events, err
}

// buffers are what a block is read with, used again by other blocks.
type buffers struct{ packed, open, raw []byte }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
