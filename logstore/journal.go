package logstore

import (
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
	summary
	lastSeq uint64
}

type frame struct {
	at     int64
	length int32 // of the payload
	stream uint32
	summary
	lastSeq uint64
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
		p, err := parseBatch(payload)
		if err != nil {
			break
		}
		j.note(&p, len(payload))
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
func (j *journal) note(b *batch, payload int) {
	f := frame{at: j.size + frameHead, length: int32(payload), stream: b.stream, lastSeq: b.lastSeq()}
	for i := range b.events {
		f.add(&b.events[i])
	}
	j.lastSeq = max(j.lastSeq, f.lastSeq)
	j.size += frameHead + int64(payload)
	if len(b.events) == 0 {
		return
	}
	j.frames = append(j.frames, f)
	j.merge(f.summary)
}

// begin writes a frame without events into an empty journal: it says up to where the group has counted. Else that would be forgotten
// with the last file that retention removes, and events that come later would be taken for ones that a follower has seen.
func (j *journal) begin(lastSeq uint64, sync func(*os.File) error) error {
	b := batch{before: lastSeq}
	frame := appendFrame(nil, b.append)
	if err := j.write(frame, sync); err != nil {
		return err
	}
	j.note(&b, len(frame)-frameHead)
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

// read returns the events of a frame.
func (f *frame) read(file io.ReaderAt) (batch, error) {
	b := make([]byte, f.length)
	if _, err := file.ReadAt(b, f.at); err != nil {
		return batch{}, err
	}
	return parseBatch(b)
}
