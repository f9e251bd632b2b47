package logstore

import (
	"errors"
	"os"
)

// Expire removes the files whose events are all older than the time, in epoch milliseconds, and says how many. The group's
// streams stay.
func (g *Group) Expire(before int64) (int, error) {
	g.commit.Lock()
	defer g.commit.Unlock()
	if g.closed != nil {
		return 0, g.closed
	}
	if j := g.journal; j.count > 0 && j.last < before {
		if err := g.seal(); err != nil {
			return 0, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var keep []*sealed
	removed := 0
	var errs []error
	for _, f := range g.files {
		if f.count > 0 && f.last >= before {
			keep = append(keep, f)
			continue
		}
		if err := os.Remove(g.path(f.number, sealedExt)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs, keep = append(errs, err), append(keep, f)
			continue
		}
		removed++
	}
	if g.files = keep; removed > 0 {
		errs = append(errs, g.recount())
	}
	return removed, errors.Join(errs...)
}

// recount adds up again what the streams hold.
func (g *Group) recount() error {
	for _, s := range g.roll.byID {
		s.summary = summary{}
	}
	for _, f := range g.files {
		streams, err := g.streamsOf(f)
		if err != nil {
			return err
		}
		for _, s := range streams {
			if st := g.roll.byID[s.stream]; st != nil {
				st.merge(s.summary)
			}
		}
	}
	for _, f := range g.journal.frames {
		if st := g.roll.byID[f.stream]; st != nil {
			st.merge(f.summary)
		}
	}
	return nil
}

func (g *Group) streamsOf(f *sealed) ([]streamSummary, error) {
	file, err := os.Open(g.path(f.number, sealedExt))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	ix, _, err := g.codec.readIndex(file)
	if err != nil {
		return nil, err
	}
	return ix.streams, nil
}
