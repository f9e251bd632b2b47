package state

import "context"

// Snapshot is all rows at one revision. It never changes, and may be read by any number of goroutines.
type Snapshot struct {
	*Tables
	Revision int64
}

// Revision is a snapshot together with what changed since the one before it. Reset says that the changes are not
// known (the member reloaded): look at everything.
type Revision struct {
	Snapshot *Snapshot
	Changes  []Change
	Reset    bool

	next  *Revision // set before ready is closed
	ready chan struct{}
}

func newRevision(s *Snapshot, changes []Change, reset bool) *Revision {
	return &Revision{Snapshot: s, Changes: changes, Reset: reset, ready: make(chan struct{})}
}

// Cursor walks the revisions one by one, without gap or overlap. A slow reader holds memory, never others.
type Cursor struct{ at *Revision }

// Next blocks until there is a revision after the last one and returns it.
func (c *Cursor) Next(ctx context.Context) (*Revision, error) {
	select {
	case <-c.at.ready:
		c.at = c.at.next
		return c.at, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Follow hands the revisions to a channel, one after the other, until ctx ends.
func (c *Cursor) Follow(ctx context.Context, out chan<- *Revision) {
	for {
		r, err := c.Next(ctx)
		if err != nil {
			return
		}
		select {
		case out <- r:
		case <-ctx.Done():
			return
		}
	}
}

// Latest skips to the newest revision without waiting.
func (c *Cursor) Latest() *Revision {
	for {
		select {
		case <-c.at.ready:
			c.at = c.at.next
		default:
			return c.at
		}
	}
}
