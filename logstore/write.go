package logstore

import (
	"bytes"
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
	w := g.writing()
	for i := range f.batches {
		w.batch(&f.batches[i])
	}
	return g.put(w)
}

// put writes frames, and takes them into what is remembered. The caller holds commit.
func (g *Group) put(w *writing) error {
	if err := g.journal.write(w.out, g.sync); err != nil {
		return fmt.Errorf("write log events: %w", err)
	}
	g.mu.Lock()
	for i := range w.notes {
		n := &w.notes[i]
		g.journal.note(n.frame, n.lock, n.length)
		if s := g.roll.byID[n.stream]; s != nil {
			s.merge(n.summary)
		}
	}
	g.arrived = max(g.arrived, g.journal.lastSeq)
	g.seq = max(g.seq, g.arrived+1)
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

// A writing is frames that go into the journal together.
type writing struct {
	group *Group
	locks []lock // of the journal, then
	out   []byte
	notes []note
}

// A note is what is remembered of a frame once it is on the disk.
type note struct {
	frame
	lock   *lock
	length int // of the payload
}

// writing begins one. The caller holds commit.
func (g *Group) writing() *writing { return &writing{group: g, locks: slices.Clip(g.journal.locks)} }

func (w *writing) add(n note, build func([]byte) []byte) {
	at := len(w.out)
	w.out = appendFrame(w.out, build)
	n.length = len(w.out) - at - frameHead
	w.notes = append(w.notes, n)
}

// batch adds what this member has taken.
func (w *writing) batch(b *batch) {
	n := note{frame: frameOf(b)}
	if b.key == nil {
		w.add(n, b.append)
		return
	}
	n.frame.lock = w.lock(lock{b.key.wrapped, b.key})
	w.add(n, func(dst []byte) []byte {
		plain, about := w.group.cover(b, n.summary)
		return b.key.seal(n.appendClear(dst), plain, about)
	})
}

// lock returns the number of a data key in the journal, and adds it if the journal has it not.
func (w *writing) lock(k lock) uint32 {
	at := slices.IndexFunc(w.locks, func(l lock) bool {
		return k.key != nil && l.key == k.key || k.key == nil && bytes.Equal(l.wrapped, k.wrapped)
	})
	if at < 0 {
		at = len(w.locks)
		fresh := lock{bytes.Clone(k.wrapped), k.key}
		w.locks = append(w.locks, fresh)
		w.add(note{lock: &fresh}, func(dst []byte) []byte {
			return appendText(binary.AppendUvarint(dst, frameLock), fresh.wrapped)
		})
	}
	return uint32(at + 1)
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
	names := map[uint32]string{}
	l := g.locks(j.number, j.locks, names)
	l.own = true
	s := &segment{locks: l, events: make([]Event, 0, j.count)}
	for i := range j.frames {
		f := &j.frames[i]
		g.mu.RLock()
		stream := g.roll.byID[f.stream]
		g.mu.RUnlock()
		if stream == nil {
			continue
		}
		names[f.stream] = stream.name
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
	lost   *Loss // what could not be read of it, nil for nothing
}

func (s *segment) lose(seq uint64, events int64, why error) {
	if s.lost == nil {
		s.lost = &Loss{Seq: seq, Err: why}
	}
	s.lost.Events += events
}

type closedFrame struct {
	*frame
	payload []byte
}
