package logstore

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
)

// write writes what waits. The caller holds commit.
func (g *Group) write(f *flush) error {
	g.mu.Lock()
	g.pending = &flush{}
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		return closed
	}
	b, notes := g.frames(f.batches)
	if err := g.journal.write(b, g.sync); err != nil {
		return fmt.Errorf("write log events: %w", err)
	}
	g.mu.Lock()
	for i := range notes {
		n := &notes[i]
		g.journal.note(n.frame, n.lock, n.length)
		g.arrived = g.journal.lastSeq
		if s := g.roll.byID[n.stream]; s != nil {
			s.merge(n.summary)
		}
	}
	g.wake()
	full := g.journal.size >= g.sealAt
	g.mu.Unlock()
	if full {
		if err := g.seal(); err != nil { // the events are safe: a later append tries again
			g.log.Error("seal a journal of log events", "group", g.id, "err", err)
		}
	}
	return nil
}

// A note is what is remembered of a frame once it is on the disk.
type note struct {
	frame
	lock   *lock
	length int // of the payload
}

// frames makes the frames of batches, and of data keys that the journal has not.
func (g *Group) frames(batches []batch) (out []byte, notes []note) {
	locks := slices.Clip(g.journal.locks)
	add := func(n note, build func([]byte) []byte) {
		at := len(out)
		out = appendFrame(out, build)
		n.length = len(out) - at - frameHead
		notes = append(notes, n)
	}
	for i := range batches {
		b := &batches[i]
		n := note{frame: frameOf(b)}
		if b.key == nil {
			add(n, b.append)
			continue
		}
		at := slices.IndexFunc(locks, func(l lock) bool { return l.key == b.key })
		if at < 0 {
			at = len(locks)
			locks = append(locks, lock{wrapped: b.key.wrapped, key: b.key})
			add(note{lock: &locks[at]}, func(dst []byte) []byte {
				dst = binary.AppendUvarint(binary.AppendUvarint(dst, frameLock), uint64(len(b.key.wrapped)))
				return append(dst, b.key.wrapped...)
			})
		}
		n.frame.lock = uint32(at + 1)
		add(n, func(dst []byte) []byte { return g.appendLocked(dst, g.journal.number, b, &n.frame) })
	}
	return out, notes
}

func (g *Group) wake() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// seal makes a sealed file of the journal, without the events of streams that are gone, and begins another. The caller holds
// commit.
func (g *Group) seal() error {
	old := g.journal
	s, err := g.gather(old)
	if err != nil {
		return err
	}
	fresh, _, err := openJournal(g.path(old.number+1, journalExt), old.number+1)
	if err != nil {
		return err
	}
	err = fresh.begin(old.lastSeq, g.sync)
	var file *sealed
	if err == nil {
		file, _, err = g.codec.seal(g.path(old.number, sealedExt), s, g.sync)
	}
	if err != nil {
		fresh.file.Close()
		return err
	}
	g.mu.Lock()
	g.files, g.journal = append(g.files, file), fresh
	g.mu.Unlock()
	old.file.Close()
	return os.Remove(g.path(old.number, journalExt))
}

// gather reads a journal for its sealed file, but for events of streams that are gone. Frames whose key nobody has any more, or not now,
// stay as they are: a group goes on without the events that it cannot read.
func (g *Group) gather(j *journal) (*segment, error) {
	l := g.locks(j.number, j.locks)
	l.own = true
	s := &segment{locks: l, events: make([]Event, 0, j.count)}
	for i := range j.frames {
		f := &j.frames[i]
		g.mu.RLock()
		alive := g.roll.byID[f.stream] != nil
		g.mu.RUnlock()
		if !alive {
			continue
		}
		b, err := f.read(j.file, l)
		switch {
		case err == nil:
			s.events = append(s.events, b.events...)
		case f.lock == 0:
			return nil, err
		default:
			payload, err := f.payload(j.file)
			if err != nil {
				return nil, err
			}
			s.closed = append(s.closed, closedFrame{f, payload})
		}
	}
	return s, nil
}

// A segment is what goes into a sealed file.
type segment struct {
	locks  *locks
	events []Event
	closed []closedFrame
}

type closedFrame struct {
	*frame
	payload []byte
}
