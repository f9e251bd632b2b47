package logstore

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// A journal is the file of a group that is appended to. Its frames are summarised in memory.
type journal struct {
	number uint64
	file   *os.File
	size   int64 // bytes that are on the disk; what is behind them is of an append that failed
	frames []frame
	locks  []lock
	summary
	lastSeq uint64
}

type frame struct {
	at     int64
	length int32 // of the payload
	stream uint32
	lock   uint32 // 0 if it is not encrypted
	summary
	lastSeq uint64
}

// frameOf is what is remembered of a batch.
func frameOf(b *batch) frame {
	f := frame{stream: b.stream, lastSeq: b.lastSeq()}
	for i := range b.events {
		f.add(&b.events[i])
	}
	return f
}

// before is the Seq of the event before the first.
func (f *frame) before() uint64 { return f.lastSeq - uint64(f.count) }

// room is about what such events take in a journal.
func (s *summary) room() int { return int(s.bytes) + 8*int(s.count) + 128 }

// parseFrame reads what can be known of a frame without a key. It may be a lock instead.
func parseFrame(payload []byte) (f frame, l *lock, err error) {
	r := reader{b: payload}
	switch r.uint() {
	case frameLock:
		wrapped := r.bytes()
		if r.bad || len(r.b) > 0 {
			return f, nil, errDamaged
		}
		return f, &lock{wrapped: bytes.Clone(wrapped)}, nil
	case frameLocked:
		f, _, err = parseLocked(payload)
		return f, nil, err
	}
	b, err := parseBatch(payload)
	return frameOf(&b), nil, err
}

// openJournal opens or makes a journal. A torn end, of an append that was never acknowledged, is cut off.
func openJournal(path string, number uint64) (*journal, int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, 0, err
	}
	j := &journal{number: number, file: f}
	cut, err := j.load()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("read %s: %w", path, err)
	}
	return j, cut, nil
}

func (j *journal) load() (cut int64, err error) {
	b, err := io.ReadAll(j.file)
	if err != nil {
		return 0, err
	}
	for {
		payload, ok := nextFrame(b[j.size:])
		if !ok {
			break
		}
		f, l, err := parseFrame(payload)
		if err != nil {
			break
		}
		j.note(f, l, len(payload))
	}
	if cut = int64(len(b)) - j.size; cut > 0 {
		if err := j.file.Truncate(j.size); err != nil {
			return 0, err
		}
		return cut, j.file.Sync()
	}
	return 0, nil
}

// note takes a frame that is at the end of the file into the summaries.
func (j *journal) note(f frame, l *lock, payload int) {
	f.at, f.length = j.size+frameHead, int32(payload)
	j.lastSeq = max(j.lastSeq, f.lastSeq)
	j.size += frameHead + int64(payload)
	if l != nil {
		j.locks = append(j.locks, *l)
	}
	if f.count == 0 {
		return
	}
	j.frames = append(j.frames, f)
	j.merge(f.summary)
}

// begin writes a frame without events, into an empty journal or behind an operation on streams: it says up to where the group has counted.
// Else that would be forgotten with the last file that retention removes, and events that come later would be taken for ones that a
// follower has seen.
func (j *journal) begin(lastSeq uint64, sync func(*os.File) error) error {
	b := batch{before: lastSeq}
	frame := appendFrame(nil, b.append)
	if err := j.write(frame, sync); err != nil {
		return err
	}
	j.note(frameOf(&b), nil, len(frame)-frameHead)
	return nil
}

// write puts frames behind what is there. After an error the file is as it was before, or cannot be used any more.
func (j *journal) write(b []byte, sync func(*os.File) error) error {
	_, err := j.file.WriteAt(b, j.size)
	if err == nil {
		err = sync(j.file)
	}
	if err == nil {
		return nil
	}
	if cut := j.file.Truncate(j.size); cut != nil {
		return fmt.Errorf("%w; and what is half written cannot be cut off: %w", err, cut)
	}
	return err
}

// payload returns a frame as it is.
func (f *frame) payload(file io.ReaderAt) ([]byte, error) {
	b := make([]byte, f.length)
	_, err := file.ReadAt(b, f.at)
	return b, err
}

// read returns the events of a frame.
func (f *frame) read(file io.ReaderAt, l *locks) (batch, error) {
	b, err := f.payload(file)
	switch {
	case err != nil:
		return batch{}, err
	case f.lock != 0:
		return l.frame(b)
	}
	return parseBatch(b)
}
