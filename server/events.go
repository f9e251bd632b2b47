package server

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// events streams the events of the caller's account, a line of JSON each: those that services have stored since ?since=MS, and
// with ?follow=true everything that happens from now on, until the client goes or this member does not lead any more.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	p, _ := auth.PrincipalFrom(r.Context())
	scope := model.Scope{Account: p.Account, Region: s.cfg.Region}
	since, _ := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64)
	snap, cursor := s.db.Watch()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := eventWriter{w: w, lines: json.NewEncoder(w)}
	if err := out.write(ecs.StoredEvents(snap.Tables, scope, since)); err != nil || r.URL.Query().Get("follow") != "true" {
		return
	}
	for s.db.Leading() {
		rev, err := cursor.Next(r.Context())
		if err != nil {
			return
		}
		if err := s.tell(&out, scope, rev); err != nil {
			s.cfg.Log.Warn("stream events", "err", err)
			return
		}
	}
}

// tell writes what a revision means. A revision whose changes are not known is passed over: its rows are as they are now, but
// nobody knows what happened.
func (s *Server) tell(out *eventWriter, scope model.Scope, rev *state.Revision) error {
	if rev.Reset {
		return nil
	}
	events, err := ecs.EventsOf(scope, rev, s.cfg.Now())
	if err != nil {
		return err
	}
	return out.write(events)
}

// eventWriter writes events as they come.
type eventWriter struct {
	w     http.ResponseWriter
	lines *json.Encoder
}

func (o *eventWriter) write(events []ecs.Event) error {
	for i := range events {
		if err := o.lines.Encode(&events[i]); err != nil {
			return err
		}
	}
	return http.NewResponseController(o.w).Flush()
}
