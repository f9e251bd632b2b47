package main

import (
	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
)

// ours is a group of the log store.
type ours struct {
	store *logstore.Store
	group *logstore.Group
}

func openOurs(dir string) (store, error) {
	s, err := logstore.Open(logstore.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	g, err := s.Group("g")
	return &ours{s, g}, err
}

func (o *ours) create(stream string) error { return o.group.CreateStream(stream, 1) }

func (o *ours) add(stream string, lines []line) error {
	events := make([]logstore.Event, len(lines))
	for i, l := range lines {
		events[i] = logstore.Event{Time: l.time, Message: l.text}
	}
	return o.group.Append(stream, events, lines[0].time)
}

func (o *ours) search(word string, found func(string)) (int64, error) {
	p, err := logquery.ParsePattern(word)
	if err != nil {
		return 0, err
	}
	for e, err := range o.group.Events(logstore.Query{Match: p.Match}) {
		if err != nil {
			return 0, err
		}
		found(e.Message)
	}
	return o.group.Usage().Bytes, nil
}

func (o *ours) follow(stop <-chan struct{}, seen func(string)) error {
	after := o.group.Arrived()
	for {
		more := o.group.Changed()
		for e, err := range o.group.Arrivals(after, nil) {
			if err != nil {
				return err
			}
			after = e.Seq
			seen(e.Message)
		}
		select {
		case <-more:
		case <-stop:
			return nil
		}
	}
}

func (o *ours) close() error { return o.store.Close() }
