package logstore

import (
	"maps"
	"path/filepath"
	"slices"
)

// Accept takes what Since has encoded for a copy that has arrived at prev, of a group that then has arrived at to, from who leads in an
// epoch: ErrEpoch if another was promised meanwhile. It says how far the copy has arrived: ErrBehind if what was brought does not follow on
// that. It is on the disk when Accept returns, and may be accepted again.
func (g *Group) Accept(epoch, prev uint64, frames []byte, to uint64) (uint64, error) {
	c, err := parseCopying(frames)
	if err != nil {
		return 0, err
	}
	at, err := g.accept(epoch, prev, c, to)
	if err != nil {
		return at, err
	}
	return at, g.acceptMarks(c.marks)
}

func (g *Group) acceptMarks(marks map[string]uint64) error {
	for name, seq := range marks {
		if have, ok := g.Mark(name); (!ok || seq > have) && name == filepath.Base(name) {
			if err := g.SetMark(name, seq); err != nil {
				return err
			}
		}
	}
	if _, all := marks[""]; !all {
		return nil
	}
	for _, name := range g.marks() {
		if _, ok := marks[name]; !ok {
			if err := g.Unmark(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Group) accept(epoch, prev uint64, c *copying, to uint64) (uint64, error) {
	g.commit.Lock()
	defer g.commit.Unlock()
	g.settle()
	at, err := g.arrived, g.takes(epoch, prev, c, to)
	var w *writing
	if err == nil && to >= at {
		if changes := g.changes(c); len(changes) > 0 {
			err = g.roll.write(g.sync, changes...)
		}
	}
	if err == nil && to > at {
		w = g.accepted(c, to)
	}
	g.mu.Unlock()
	if w == nil || err != nil {
		return at, err
	}
	if err := g.put(w); err != nil {
		return at, err
	}
	return to, nil
}

// takes says why what was brought cannot be taken. The caller holds commit and mu.
func (g *Group) takes(epoch, prev uint64, c *copying, to uint64) error {
	switch {
	case g.closed != nil:
		return g.closed
	case epoch<<epochBits != g.base:
		return ErrEpoch
	case g.arrived < prev:
		return ErrBehind
	}
	for i := range c.pieces {
		switch p := &c.pieces[i]; {
		case p.lastSeq() > to:
			return errDamaged
		case p.wrapped != nil && p.before < g.arrived && p.lastSeq() > g.arrived: // nobody here can take it apart
			return ErrBehind
		}
	}
	return nil
}

// accepted are the frames of events that the copy lacks, and of the fact that it has arrived. The caller holds commit and mu.
func (g *Group) accepted(c *copying, to uint64) *writing {
	w := g.writing()
	last := uint64(0)
	for i := range c.pieces {
		p := &c.pieces[i]
		s := g.roll.byName[p.name]
		if s == nil || p.lastSeq() <= g.arrived { // the stream is gone again, which is said later
			continue
		}
		last = p.lastSeq()
		if p.wrapped != nil {
			n := note{frame: frame{stream: s.number, lock: w.lock(lock{wrapped: p.wrapped}), summary: p.summary, lastSeq: last}}
			w.add(n, func(dst []byte) []byte { return append(n.appendClear(dst), p.text...) })
			continue
		}
		b := &p.batch
		if b.before < g.arrived {
			b.events, b.before = b.events[g.arrived-b.before:], g.arrived
		}
		b.stream = s.number
		w.batch(b)
	}
	if last < to {
		w.batch(&batch{before: to})
	}
	return w
}

// changes are the frames that make the streams what the sender says.
func (g *Group) changes(c *copying) (frames []func([]byte) []byte) {
	if !c.all && len(c.ops) == 0 {
		return nil
	}
	next := g.roll.next
	living := maps.Clone(g.roll.byName)
	remove := func(name string, seq uint64) {
		if s := living[name]; s != nil {
			frames = append(frames, s.gone(seq))
			delete(living, name)
		}
	}
	if c.all {
		listed := map[string]uint64{}
		for _, op := range c.ops {
			listed[op.made.name] = op.seq
		}
		for _, name := range slices.Sorted(maps.Keys(living)) {
			if seq, ok := listed[name]; !ok || seq != living[name].made {
				remove(name, c.at)
			}
		}
	}
	for _, op := range c.ops {
		switch {
		case op.made == nil:
			if op.seq > g.roll.lastSeq() {
				remove(op.gone, op.seq)
			}
		case living[op.made.name] != nil && living[op.made.name].made == op.seq, !c.all && op.seq <= g.roll.lastSeq():
		default:
			remove(op.made.name, op.seq)
			s := *op.made
			s.number, s.summary = next, summary{}
			next++
			living[s.name] = &s
			frames = append(frames, s.append)
		}
	}
	return frames
}
