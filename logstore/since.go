package logstore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sort"
)

// What is in the frames that members send each other. Streams have their names there: each store numbers them by itself.
const (
	copyMade    = iota + 1 // a stream
	copyGone               // the stream of a name
	copyStreams            // all streams that there are: what is not among them is gone
	copyEvents             // of one stream
	copyMark               // how far a follower is; without a name: there are no others
	copyKey                // a data key, wrapped; they count from 1
	copyLocked             // events of one stream, encrypted with one of them
)

// Since encodes what a copy lacks that has arrived at a Seq, up to about limit bytes, and says where that leads; more, if it is not all.
//
// Events that are encrypted stay so. Those in the blocks of sealed files have to be opened for it, and are encrypted again: ErrShut if
// they cannot be opened now. If they never can again they are left out.
func (g *Group) Since(after uint64, limit int) (frames []byte, to uint64, more bool, err error) {
	g.mu.RLock()
	marks, all := maps.Clone(g.marked), g.leads
	g.mu.RUnlock()
	if all { // who copies a leader has no mark that the leader has not
		marks[""] = 0
	}
	p := parcel{group: g, at: after, limit: limit}
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		p.frame(func(b []byte) []byte { return binary.AppendUvarint(appendText(append(b, copyMark), name), marks[name]) })
	}
	p.frames, p.end = g.streamsSince(p.frames, after)
	a, err := g.arrivals(after, nil)
	if err != nil {
		return nil, 0, false, err
	}
	if a.journal != nil {
		defer a.journal.Close()
		a.locks.own = true
	}
	for _, number := range a.sealed {
		if full, err := p.file(a, number); full || err != nil {
			return p.frames, p.at, full, err
		}
	}
	for i := range a.frames {
		if full, err := p.journalled(a, &a.frames[i]); full || err != nil {
			return p.frames, p.at, full, err
		}
	}
	return p.frames, p.end, false, nil
}

// A parcel is what Since has encoded up to some place.
type parcel struct {
	group  *Group
	frames []byte
	at     uint64   // so far
	end    uint64   // what came later is not in it
	any    bool     // there are events
	keys   [][]byte // that it has, wrapped
	limit  int
}

func (p *parcel) frame(build func([]byte) []byte) { p.frames = appendFrame(p.frames, build) }

// room says whether something that ends at a Seq goes in.
func (p *parcel) room(last uint64) bool {
	if last > p.end || p.any && len(p.frames) >= p.limit {
		return false
	}
	p.at, p.any = last, true
	return true
}

// clear adds events that are not encrypted; payload is a batch as it is in a journal.
func (p *parcel) clear(name string, payload func([]byte) []byte) {
	p.frame(func(b []byte) []byte { return payload(appendText(append(b, copyEvents), name)) })
}

// locked adds events that are encrypted.
func (p *parcel) locked(at *placed, wrapped, text []byte) {
	key := slices.IndexFunc(p.keys, func(k []byte) bool { return bytes.Equal(k, wrapped) })
	if key < 0 {
		key, p.keys = len(p.keys), append(p.keys, wrapped)
		p.frame(func(b []byte) []byte { return appendText(append(b, copyKey), wrapped) })
	}
	p.frame(func(b []byte) []byte {
		b = binary.AppendUvarint(append(b, copyLocked), uint64(key)+1)
		b = binary.AppendUvarint(appendText(b, at.name), at.before+1)
		return append(at.append(b), text...)
	})
}

// journalled adds a frame of the journal as it is, or the rest of one that the copy has a part of. It says whether the parcel is full.
func (p *parcel) journalled(a *arrivals, f *frame) (full bool, err error) {
	if f.lastSeq > p.end {
		return false, nil
	}
	payload, err := f.payload(a.journal)
	switch {
	case err != nil:
		return false, err
	case f.before() < a.after:
		events, err := a.open(a.locks, f, payload)
		if errors.Is(err, ErrGone) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return p.run(a.locks, a.names[f.stream], events)
	case !p.room(f.lastSeq):
		return true, nil
	case f.lock == 0:
		p.clear(a.names[f.stream], func(b []byte) []byte { return append(b, payload...) })
		return false, nil
	}
	return false, p.closed(a, a.locks, payload)
}

// closed adds a frame that is encrypted as it is.
func (p *parcel) closed(a *arrivals, l *locks, payload []byte) error {
	f, text, err := parseLocked(payload)
	if err == nil && int64(f.lock) > int64(len(l.list)) {
		err = errDamaged
	}
	if err == nil {
		p.locked(&placed{a.names[f.stream], f.before(), f.summary}, l.list[f.lock-1].wrapped, text)
	}
	return err
}

// open returns those events of a frame that the copy lacks.
func (a *arrivals) open(l *locks, f *frame, payload []byte) ([]Event, error) {
	parse := parseBatch
	if f.lock != 0 {
		parse = l.frame
	}
	b, err := parse(payload)
	return slices.DeleteFunc(b.events, func(e Event) bool { return e.Seq <= a.after }), err
}

// run adds events that follow each other in a stream, of which all are encrypted with one key, or none are.
func (p *parcel) run(l *locks, name string, events []Event) (full bool, err error) {
	b := batch{name: name, ingested: events[0].Ingested, before: events[0].Seq - 1, events: events}
	if !p.room(b.lastSeq()) {
		return true, nil
	}
	n := events[0].lock
	if n == 0 {
		p.clear(name, b.append)
		return false, nil
	}
	at := placed{name, b.before, frameOf(&b).summary}
	plain, about := p.group.cover(&b, at.summary)
	text, err := l.cover(n, plain, about)
	if err == nil {
		p.locked(&at, l.list[n-1].wrapped, text)
	}
	return false, err
}

// file adds what is in a sealed file, in the order in which it came.
func (p *parcel) file(a *arrivals, number uint64) (full bool, err error) {
	s, err := a.read(number, true)
	if s == nil || err != nil {
		return false, err
	}
	for len(s.events)+len(s.closed) > 0 && !full && err == nil {
		if len(s.events) == 0 || len(s.closed) > 0 && s.closed[0].lastSeq < s.events[0].Seq {
			f := s.closed[0]
			s.closed = s.closed[1:]
			if full = !p.room(f.lastSeq); !full {
				err = p.closed(a, s.locks, f.payload)
			}
			continue
		}
		n := runLength(s.events)
		full, err = p.run(s.locks, s.events[0].Stream, s.events[:n])
		s.events = s.events[n:]
	}
	return full, err
}

// runBytes bounds the messages of a run.
const runBytes = 64 << 10

// runLength is how many of some events go into one frame: those of one Append, if they are not too many.
func runLength(events []Event) int {
	n, size := 1, len(events[0].Message)
	for first := &events[0]; n < len(events) && size < runBytes; n++ {
		e := &events[n]
		if e.stream != first.stream || e.lock != first.lock || e.Ingested != first.Ingested || e.Seq != events[n-1].Seq+1 {
			break
		}
		size += len(e.Message)
	}
	return n
}

// streamsSince adds what happened to streams, and says how far the group has arrived at the same moment. Whoever has not heard of this
// epoch is told of all streams.
func (g *Group) streamsSince(frames []byte, after uint64) ([]byte, uint64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	made := func(b []byte, s *stream) []byte {
		return binary.AppendVarint(binary.AppendUvarint(appendText(b, s.name), s.made), s.createdAt)
	}
	if after <= g.base {
		all := slices.SortedFunc(maps.Values(g.roll.byID), func(a, b *stream) int { return cmp.Compare(a.number, b.number) })
		return appendFrame(frames, func(b []byte) []byte {
			b = binary.AppendUvarint(binary.AppendUvarint(append(b, copyStreams), g.arrived), uint64(len(all)))
			for _, s := range all {
				b = made(b, s)
			}
			return b
		}), g.arrived
	}
	ops := g.roll.ops
	for _, op := range ops[sort.Search(len(ops), func(i int) bool { return ops[i].seq > after }):] {
		frames = appendFrame(frames, func(b []byte) []byte {
			if op.made != nil {
				return made(append(b, copyMade), op.made)
			}
			return binary.AppendUvarint(appendText(append(b, copyGone), op.gone), op.seq)
		})
	}
	return frames, g.arrived
}
