package logforward

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

// What is sent together, and when.
const (
	linger     = 500 * time.Millisecond // until more has come
	maxEvents  = 10_000                 // of all streams in one go
	maxBytes   = 1 << 20                // of their messages
	giveUp     = 24 * time.Hour         // after an event came [D]
	firstPause = time.Second            // after a failure
	tellEvery  = time.Second            // how far a filter is
	maxPause   = 5 * time.Minute
)

// delivery is the work for one filter.
type delivery struct {
	*Forwarder
	row     *model.LogGroup
	filter  model.LogSubscription
	pattern *logquery.Pattern
	group   *logstore.Group
	done    uint64 // Seq up to which everything is sent, or need not be
	kept    uint64 // as done, on the disk
	moved   uint64 // as kept, when others last heard of it
	movedAt time.Time
	told    uint64 // Seq up to which it was said what can never be read
}

// deliver sends for one filter until ctx ends or the group is gone.
func (f *Forwarder) deliver(ctx context.Context, row *model.LogGroup, sub model.LogSubscription) {
	d := &delivery{Forwarder: f, row: row, filter: sub}
	var err error
	if d.pattern, err = logquery.ParsePattern(sub.Pattern); err != nil {
		f.cfg.Log.Error("a subscription filter cannot be read", "group", row.Name, "filter", sub.Name, "err", err)
		return
	}
	if d.group, err = f.cfg.Store.Group(row.ID); err != nil {
		f.cfg.Log.Error("log events are not forwarded", "group", row.Name, "filter", sub.Name, "err", err)
		return
	}
	d.done, _ = d.group.Mark(sub.ID)
	d.kept, d.moved = d.done, d.done
	for pause := firstPause; ; {
		more := d.group.Changed()
		err := d.drain(ctx)
		d.tell()
		switch {
		case ctx.Err() != nil || errors.Is(err, logstore.ErrRemoved) || errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			f.cfg.Log.Warn("log events wait", "group", row.Name, "filter", sub.Name, "destination", sub.Destination, "err", err, "retry", pause)
			if !wait(ctx, pause) {
				return
			}
			pause = min(2*pause, maxPause)
			continue
		}
		pause = firstPause
		select {
		case <-more:
		case <-ctx.Done():
			return
		}
		if !wait(ctx, linger) {
			return
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// drain sends all that there is.
func (d *delivery) drain(ctx context.Context) (err error) {
	var p parcel
	lost, gone := 0, logstore.Loss{}
	defer func() {
		if gone.Events > 0 {
			d.cfg.Log.Error("log events are skipped: they can never be read again", "group", d.row.Name, "filter", d.filter.Name,
				"events", gone.Events, "err", gone.Err)
		}
		if lost > 0 {
			d.cfg.Log.Error("log events are given up: their destination has failed for a day", "group", d.row.Name, "filter", d.filter.Name, "events", lost)
		}
		err = errors.Join(err, d.keep())
	}()
	last := d.done
	old := max(d.filter.CreatedAt, d.cfg.Now().Add(-giveUp).UnixMilli())
	for e, err := range d.group.Arrivals(d.done, nil) {
		loss, skip := errors.AsType[*logstore.Loss](err)
		if err != nil && !skip {
			return err
		}
		if p.full() {
			if err := d.flush(ctx, &p, last); err != nil {
				return err
			}
		}
		last = e.Seq
		switch {
		case skip && e.Seq > d.told:
			d.told, gone.Events, gone.Err = e.Seq, gone.Events+loss.Events, err
		case skip:
		case e.Ingested >= old:
			p.add(d, &e)
		case e.Ingested >= d.filter.CreatedAt:
			lost++
		}
		if p.n == 0 { // so that a destination that fails for long does not have it looked at again and again
			d.done = last
		}
	}
	return d.flush(ctx, &p, last)
}

// flush sends a parcel, stream by stream, after which the filter has come to last.
func (d *delivery) flush(ctx context.Context, p *parcel, last uint64) error {
	for _, stream := range p.streams {
		m := message{Type: "DATA_MESSAGE", Owner: d.row.Account, Group: d.row.Name, Stream: stream,
			Filters: []string{d.filter.Name}, Events: p.events[stream]}
		if err := d.send(ctx, d.filter.Destination, m); err != nil {
			return err
		}
	}
	*p = parcel{}
	d.done = last
	return d.keep()
}

// keep writes down how far the filter is.
func (d *delivery) keep() error {
	if d.done == d.kept {
		return nil
	}
	if err := d.group.SetMark(d.filter.ID, d.done); err != nil {
		return err
	}
	d.kept = d.done
	if d.cfg.Now().Sub(d.movedAt) >= tellEvery {
		d.tell()
	}
	return nil
}

// tell has others hear how far the filter is.
func (d *delivery) tell() {
	if d.kept != d.moved {
		d.moved, d.movedAt = d.kept, d.cfg.Now()
		d.cfg.Moved(d.row.ID)
	}
}

// A parcel is events that are sent in one go: a message for each of their streams.
type parcel struct {
	streams []string // as they came
	events  map[string][]event
	n, size int
}

func (p *parcel) full() bool { return p.n >= maxEvents || p.size >= maxBytes }

// add takes an event that matches.
func (p *parcel) add(d *delivery, e *logstore.Event) {
	fields, ok := d.pattern.Columns(e.Message)
	if !ok {
		return
	}
	if p.events == nil {
		p.events = map[string][]event{}
	}
	if p.events[e.Stream] == nil {
		p.streams = append(p.streams, e.Stream)
	}
	p.events[e.Stream] = append(p.events[e.Stream], event{ID: e.At().Text(), Timestamp: e.Time, Message: e.Message, Extracted: named(fields)})
	p.n++
	p.size += len(e.Message)
}

// named takes the "$" off the names of columns: here they have none [I].
func named(fields map[string]string) map[string]string {
	if fields == nil {
		return nil
	}
	out := make(map[string]string, len(fields))
	for name, v := range fields {
		out[strings.TrimPrefix(name, "$")] = v
	}
	return out
}
