package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
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
		s := &stream{number: id, createdAt: in.int(), name: string(in.bytes())}
		if in.bad {
			return false
		}
		r.byName[s.name], r.byID[id] = s, s
		r.next = max(r.next, id+1)
	case streamGone:
		if s := r.byID[id]; s != nil {
			delete(r.byName, s.name)
			delete(r.byID, id)
		}
		r.dead += 2
	case streamNext:
		r.next = max(r.next, id)
	default:
		return false
	}
	return !in.bad
}

func (s *stream) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, streamMade), uint64(s.number))
	b = binary.AppendVarint(b, s.createdAt)
	b = binary.AppendUvarint(b, uint64(len(s.name)))
	return append(b, s.name...)
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

// write adds a frame and takes it once it is on the disk.
func (r *roll) write(sync func(*os.File) error, build func([]byte) []byte) error {
	b := appendFrame(nil, build)
	_, err := r.file.WriteAt(b, r.size)
	if err == nil {
		err = sync(r.file)
	}
	if err != nil {
		return errors.Join(err, r.file.Truncate(r.size))
	}
	r.size += int64(len(b))
	r.apply(b[frameHead:])
	return nil
}
