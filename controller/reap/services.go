package reap

import (
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// services deletes services that have been INACTIVE for a while, after everything that belongs to them; and what earlier
// services of the same name have left.
func (r *reaper) services(keep model.Millis) {
	var gone []string
	for s := range r.tx.Services.All() {
		if r.left == 0 {
			return
		}
		over := s.Status == model.ServiceInactive
		end, until := s.InactiveAt+keep, ""
		if !over { // earlier ones
			end, until = s.CreatedAt+keep, s.Key()+"/"+model.NewDeploymentID(s.CreatedAt, 0)
		}
		prefix := s.Key() + "/"
		sweep(r, r.tx.Deployments, prefix, until, end)
		sweep(r, r.tx.Revisions, prefix, until, end)
		sweep(r, r.tx.TaskSets, prefix, until, end)
		r.messages(s, over, end)
		if over && r.take(end) {
			gone = append(gone, s.Key())
		}
	}
	for _, k := range gone {
		r.tx.Services.Delete(k)
	}
}

// sweep deletes the rows whose keys have the prefix and are before until, "" for all, if their time is over.
func sweep[R any, P interface {
	*R
	Key() string
}](r *reaper, t *state.Table[R], prefix, until string, end model.Millis) {
	var keys []string
	for row := range t.Prefix(prefix) {
		key := P(row).Key()
		if until != "" && key >= until || r.left == 0 {
			break
		}
		if r.take(end) {
			keys = append(keys, key)
		}
	}
	for _, k := range keys { // not while the table is walked
		t.Delete(k)
	}
}

// messages deletes those of the service, or those of earlier ones. A living service keeps as many as it may have.
func (r *reaper) messages(s *model.Service, all bool, end model.Millis) {
	var keys []string
	for m := range r.tx.Messages.Prefix(s.Key() + "/") {
		if !all && m.At >= s.CreatedAt || r.left == 0 {
			break
		}
		if r.take(end) {
			keys = append(keys, m.Key())
		}
	}
	for _, k := range keys {
		r.tx.Messages.Delete(k)
	}
}

// events deletes what nobody can ask for any more. Those of a scope are in the order of time, so the first that stays is the
// last that is looked at.
func (r *reaper) events(keep time.Duration) {
	var keys []string
	for start, more := "", true; more && r.left > 0; {
		more = false
		for e := range r.tx.Events.From("", start) {
			if e.At+keep.Milliseconds() >= r.now || r.left == 0 {
				r.take(e.At + keep.Milliseconds())
				start, more = e.Scope.Key("\xff"), true // the next scope
				break
			}
			if r.take(e.At + keep.Milliseconds()) {
				keys = append(keys, e.Key())
			}
		}
	}
	for _, k := range keys {
		r.tx.Events.Delete(k)
	}
}
