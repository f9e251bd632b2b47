package logstore

import "fmt"

// CreateStream adds a stream; ErrExists if there is one of the name.
func (g *Group) CreateStream(name string, now int64) error {
	return g.enroll(func(seq uint64) (func([]byte) []byte, error) {
		if g.roll.byName[name] != nil {
			return nil, ErrExists
		}
		return (&stream{number: g.roll.next, name: name, createdAt: now, made: seq}).append, nil
	})
}

// DeleteStream removes a stream: its events are read no more, and leave the disk with their file.
func (g *Group) DeleteStream(name string) error {
	return g.enroll(func(seq uint64) (func([]byte) []byte, error) {
		s := g.roll.byName[name]
		if s == nil {
			return nil, ErrNoStream
		}
		return s.gone(seq), nil
	})
}

// enroll changes the streams. If there are other members the change has a Seq, with which they get it in its order.
func (g *Group) enroll(change func(seq uint64) (frame func([]byte) []byte, err error)) error {
	g.commit.Lock()
	defer g.commit.Unlock()
	g.settle()
	defer g.mu.Unlock()
	if err := g.refusal(); err != nil {
		return err
	}
	seq := uint64(0)
	if g.base > 0 {
		seq = g.seq
	}
	frame, err := change(seq)
	if err == nil {
		err = g.roll.write(g.sync, frame)
	}
	if err != nil || seq == 0 {
		return err
	}
	g.seq++
	if err := g.journal.begin(seq, g.sync); err != nil {
		return fmt.Errorf("write log events: %w", err)
	}
	g.arrived = seq
	g.wake()
	return nil
}

// settle writes what waits, and returns holding mu while nothing does. The caller holds commit.
func (g *Group) settle() {
	for {
		g.mu.Lock()
		f := g.pending
		if len(f.batches) == 0 || g.closed != nil {
			return
		}
		g.mu.Unlock()
		f.err, f.done = g.write(f), true
	}
}
