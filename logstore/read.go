package logstore

import (
	"cmp"
	"container/heap"
	"errors"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
)

// Query chooses events. The zero value means all, from the oldest on.
type Query struct {
	// From and To are times in epoch milliseconds; To is not in it any more, and 0 means no end.
	From, To int64
	// After is where an earlier read ended: events behind it in the order of this one; the zero Position means no such place.
	After   Position
	Streams []string // nil means all
	Reverse bool     // from the newest on
	// Match says which messages are wanted; nil means all. It is asked once for each event that the rest chooses, in no certain order,
	// and must not keep what it is given. Of what comes before an event that was yielded, all has
	// been asked about.
	Match func(message string) bool
}

// Events yields events in the order of their places. What is appended while it runs may be missing.
//
// It holds in memory what overlaps in time: of a sealed file about Config.Segment bytes at worst, if all streams are read.
func (g *Group) Events(q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := &scan{group: g, reverse: q.Reverse, match: q.Match, low: Position{q.From, 0}, high: Position{math.MaxInt64, math.MaxUint64}}
		if q.To != 0 {
			s.high = Position{q.To - 1, math.MaxUint64}
		}
		s.after(q.After)
		defer s.close()
		if err := s.begin(q.Streams); err != nil {
			yield(Event{}, err)
			return
		}
		for len(s.heap) > 0 {
			top := &s.heap[0]
			if top.expand == nil {
				if !yield(top.events[0], nil) {
					return
				}
				s.advance()
				continue
			}
			expand := top.expand
			heap.Pop(s)
			if err := expand(); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// A scan merges files, frames and blocks, each of which is opened when the first event that it may have is next.
type scan struct {
	group     *Group
	reverse   bool
	low, high Position // of events that are wanted, both included
	match     func(string) bool
	names     map[uint32]string
	numbers   []uint32 // of names, sorted
	heap      []source
	files     []*os.File
}

// A source is a run of events, or what can be expanded to some.
type source struct {
	at     Position // of its first event, or before it
	events []Event
	expand func() error
}

func (s *scan) after(p Position) {
	switch {
	case p == Position{}:
	case s.reverse:
		if before := p.Before(); before.Compare(s.high) < 0 {
			s.high = before
		}
	default:
		if behind := p.Behind(); behind.Compare(s.low) > 0 {
			s.low = behind
		}
	}
}

// begin makes sources of all that the group has at this moment.
func (s *scan) begin(streams []string) error {
	g := s.group
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed != nil {
		return g.closed
	}
	s.names = map[uint32]string{}
	if streams == nil {
		for id, st := range g.roll.byID {
			s.names[id] = st.name
		}
	}
	for _, name := range streams {
		if st := g.roll.byName[name]; st != nil {
			s.names[st.number] = name
		}
	}
	s.numbers = slices.Sorted(maps.Keys(s.names))
	for _, f := range g.files {
		s.add(&f.summary, func() error { return s.expandSealed(f.number) })
	}
	return s.addJournal(g.journal)
}

func (s *scan) addJournal(j *journal) error {
	var file *os.File
	l := s.group.locks(j.number, j.locks, s.names)
	for _, f := range j.frames {
		if s.names[f.stream] == "" || !s.overlaps(&f.summary) {
			continue
		}
		if file == nil { // a file of our own: the journal may be sealed meanwhile
			var err error
			if file, err = os.Open(j.file.Name()); err != nil {
				return err
			}
			s.files = append(s.files, file)
		}
		s.add(&f.summary, func() error {
			b, err := f.read(file, l)
			if err != nil {
				return err
			}
			s.addEvents(slices.DeleteFunc(b.events, func(e Event) bool { return !s.want(&e) || s.match != nil && !s.match(e.Message) }))
			return nil
		})
	}
	return nil
}

func (s *scan) overlaps(m *summary) bool {
	return m.count > 0 && m.first <= s.high.Time && m.last >= s.low.Time
}

// add puts something on the heap that has to be expanded.
func (s *scan) add(m *summary, expand func() error) {
	if !s.overlaps(m) {
		return
	}
	at := Position{m.first, 0}
	if s.reverse {
		at = Position{m.last, math.MaxUint64}
	}
	heap.Push(s, source{at: at, expand: expand})
}

func (s *scan) addEvents(events []Event) {
	if len(events) == 0 {
		return
	}
	for i := range events {
		events[i].Stream = s.names[events[i].stream]
	}
	slices.SortFunc(events, func(a, b Event) int { return s.order(a.At(), b.At()) })
	heap.Push(s, source{at: events[0].At(), events: events})
}

func (s *scan) want(e *Event) bool {
	at := e.At()
	return s.names[e.stream] != "" && at.Compare(s.low) >= 0 && at.Compare(s.high) <= 0
}

// advance goes to the next event of the first source.
func (s *scan) advance() {
	top := &s.heap[0]
	if top.events = top.events[1:]; len(top.events) == 0 {
		heap.Pop(s)
		return
	}
	top.at = top.events[0].At()
	heap.Fix(s, 0)
}

// expandSealed makes sources of the blocks of a file. One that retention has removed meanwhile has none.
func (s *scan) expandSealed(number uint64) error {
	f, err := os.Open(s.group.path(number, sealedExt))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	ix, _, err := s.group.codec.readIndex(f)
	if err != nil {
		return err
	}
	l := s.group.locks(number, ix.locks, s.names)
	for i := range ix.blocks {
		k := &ix.blocks[i]
		if at, _ := slices.BinarySearch(s.numbers, k.from); at == len(s.numbers) || s.numbers[at] > k.to {
			continue
		}
		s.add(&k.summary, func() error {
			events, err := s.group.codec.read(f, k, l, s.want, s.match)
			s.addEvents(events)
			return err
		})
	}
	return nil
}

func (s *scan) close() {
	for _, f := range s.files {
		f.Close()
	}
}

func (s *scan) order(a, b Position) int {
	if s.reverse {
		return b.Compare(a)
	}
	return a.Compare(b)
}

// The methods of heap.Interface. What has to be expanded goes before events of its place.

// Len implements heap.Interface.
func (s *scan) Len() int { return len(s.heap) }

// Less implements heap.Interface.
func (s *scan) Less(i, j int) bool {
	a, b := &s.heap[i], &s.heap[j]
	return cmp.Or(s.order(a.at, b.at), cmp.Compare(len(a.events), len(b.events))) < 0
}

// Swap implements heap.Interface.
func (s *scan) Swap(i, j int) { s.heap[i], s.heap[j] = s.heap[j], s.heap[i] }

// Push implements heap.Interface.
func (s *scan) Push(x any) { s.heap = append(s.heap, x.(source)) }

// Pop implements heap.Interface.
func (s *scan) Pop() any {
	last := s.heap[len(s.heap)-1]
	s.heap[len(s.heap)-1] = source{}
	s.heap = s.heap[:len(s.heap)-1]
	return last
}
