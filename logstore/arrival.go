package logstore

import (
	"cmp"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"sort"
)

// Arrived is the Seq of the last event that is on the disk; 0 if none ever came.
func (g *Group) Arrived() uint64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.arrived
}

// Arrivals yields the events behind the Seq in the order in which they came. Want chooses streams by name; nil means all. What is
// appended while it runs is not in it, what retention removes meanwhile may be missing. A *Loss is no end: who goes on gets what came behind it.
//
// It holds in memory what it yields of one sealed file.
func (g *Group) Arrivals(after uint64, want func(stream string) bool) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		a, err := g.arrivals(after, want)
		if err != nil {
			yield(Event{}, err)
			return
		}
		if a.journal != nil {
			defer a.journal.Close()
		}
		for _, number := range a.sealed {
			events, lost, err := a.file(number)
			if !a.pass(events, err, yield) || lost != nil && !lost.pass(yield) {
				return
			}
		}
		for i := range a.frames {
			f := &a.frames[i]
			b, err := f.read(a.journal, a.locks)
			if errors.Is(err, ErrGone) {
				if lost := (Loss{f.lastSeq, f.count, err}); !lost.pass(yield) {
					return
				}
				continue
			}
			if !a.pass(b.events, err, yield) {
				return
			}
		}
	}
}

// A Loss is events that can never be read again, because their key is gone: an ErrGone.
type Loss struct {
	Seq    uint64 // the last one's, or a later one
	Events int64  // how many there are at most: some may be of streams that are gone, or were read before
	Err    error
}

// Error implements error.
func (l *Loss) Error() string { return l.Err.Error() }

// Unwrap is why.
func (l *Loss) Unwrap() error { return l.Err }

func (l *Loss) pass(yield func(Event, error) bool) bool { return yield(Event{Seq: l.Seq}, l) }

// arrivals is what one reader of Arrivals has to look at.
type arrivals struct {
	group   *Group
	after   uint64
	names   map[uint32]string // of streams that are wanted
	sealed  []uint64          // numbers of files
	frames  []frame
	journal *os.File // of the frames: the group's own may be sealed meanwhile
	locks   *locks   // of the journal
}

func (g *Group) arrivals(after uint64, want func(string) bool) (*arrivals, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed != nil {
		return nil, g.closed
	}
	a := &arrivals{group: g, after: after, names: map[uint32]string{}}
	for id, s := range g.roll.byID {
		if want == nil || want(s.name) {
			a.names[id] = s.name
		}
	}
	for _, f := range g.files {
		if f.lastSeq > after {
			a.sealed = append(a.sealed, f.number)
		}
	}
	frames := g.journal.frames
	first := sort.Search(len(frames), func(i int) bool { return frames[i].lastSeq > after })
	for _, f := range frames[first:] {
		if a.names[f.stream] != "" {
			a.frames = append(a.frames, f)
		}
	}
	if len(a.frames) == 0 {
		return a, nil
	}
	a.locks = g.locks(g.journal.number, g.journal.locks, a.names)
	var err error
	a.journal, err = os.Open(g.journal.file.Name())
	return a, err
}

// pass yields those events that are wanted, and says whether to go on.
func (a *arrivals) pass(events []Event, err error, yield func(Event, error) bool) bool {
	if err != nil {
		yield(Event{}, err)
		return false
	}
	for i := range events {
		e := &events[i]
		if e.Seq <= a.after {
			continue
		}
		if e.Stream = a.names[e.stream]; !yield(*e, nil) {
			return false
		}
	}
	return true
}

// file returns the events of a sealed file, and what is lost of it: that is behind them, for they are in between.
func (a *arrivals) file(number uint64) ([]Event, *Loss, error) {
	s, err := a.read(number, false)
	if s == nil || err != nil {
		return nil, nil, err
	}
	return s.events, s.lost, nil
}

// read reads what is wanted of a sealed file, in the order in which it came; nil if retention has removed it. Frames that were put into it
// as they were are opened, too, unless they are to stay as they are.
func (a *arrivals) read(number uint64, asTheyAre bool) (*segment, error) {
	f, err := os.Open(a.group.path(number, sealedExt))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ix, _, err := a.group.codec.readIndex(f)
	if err != nil {
		return nil, err
	}
	s := &segment{locks: a.group.locks(number, ix.locks, a.names)}
	for i := range ix.blocks {
		k := &ix.blocks[i]
		err := a.block(f, k, s, asTheyAre)
		if errors.Is(err, ErrGone) {
			s.lose(ix.lastSeq, k.count, err)
		} else if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(s.events, func(x, y Event) int { return cmp.Compare(x.Seq, y.Seq) })
	slices.SortFunc(s.closed, func(x, y closedFrame) int { return cmp.Compare(x.lastSeq, y.lastSeq) })
	return s, nil
}

func (a *arrivals) block(f io.ReaderAt, k *block, s *segment, asItIs bool) error {
	wanted := false
	for id := k.from; id <= k.to && !wanted; id++ {
		wanted = a.names[id] != ""
	}
	if !wanted {
		return nil
	}
	if k.closed && asItIs {
		payload := make([]byte, k.length)
		if _, err := f.ReadAt(payload, k.at); err != nil {
			return err
		}
		frame, _, err := parseLocked(payload)
		switch {
		case err != nil:
			return err
		case frame.lastSeq <= a.after:
			return nil
		case frame.before() >= a.after:
			s.closed = append(s.closed, closedFrame{&frame, payload})
			return nil
		}
	}
	events, err := a.group.codec.read(f, k, s.locks, func(e *Event) bool { return e.Seq > a.after && a.names[e.stream] != "" }, nil)
	for i := range events {
		events[i].Stream = a.names[events[i].stream]
	}
	s.events = append(s.events, events...)
	return err
}
