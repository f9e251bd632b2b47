package logs

import (
	"iter"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

// A source is the events of a group, one at a time.
type source struct {
	row   *model.LogGroup
	next  func() (logstore.Event, error, bool)
	event logstore.Event
	ready bool // event is the next
	ended bool
}

func pull(row *model.LogGroup, g *logstore.Group, q logstore.Query) (s source, stop func()) {
	next, stop := iter.Pull2(g.Events(q))
	return source{row: row, next: next}, stop
}

// fill makes the next event ready, if there is one.
func (s *source) fill() error {
	if s.ready || s.ended {
		return nil
	}
	e, err, ok := s.next()
	s.event, s.ready, s.ended = e, ok && err == nil, !ok || err != nil
	return err
}

// newest is the source with the newest event, which is ready; nil if there are no more.
func newest(sources []source) (*source, error) {
	var found *source
	for i := range sources {
		s := &sources[i]
		if err := s.fill(); err != nil {
			return nil, err
		}
		if s.ready && (found == nil || s.event.Time > found.event.Time) {
			found = s
		}
	}
	return found, nil
}
