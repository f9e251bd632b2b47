package exec

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Known is a session as its records, which are kept for a day, tell of it.
type Known struct {
	ID        string
	Target    model.SessionTarget
	Forward   string // host:port of one that carries connections
	Principal string
	OpenedAt  model.Millis
	EndedAt   model.Millis // 0 while it goes on
	Began     bool         // its command did
	Connected bool         // its client is there
}

// Known returns the sessions of a scope, oldest first. One whose node went without a word is over with its task.
func (e *Exec) Known(s model.Scope) []Known {
	t := e.cfg.DB.Snapshot().Tables
	at := map[string]*Known{}
	var all []*Known
	for row := range t.Events.Prefix(s.Key("")) {
		if row.DetailType != DetailOpened && row.DetailType != DetailEnded {
			continue
		}
		var d struct {
			opening
			StartedAt model.Millis `json:"startedAt"`
		}
		if json.Unmarshal([]byte(row.Detail), &d) != nil {
			continue
		}
		k := at[d.SessionID]
		if k == nil {
			k = &Known{ID: d.SessionID, Forward: d.Forward, Principal: d.Principal, OpenedAt: row.At}
			at[k.ID] = k
			all = append(all, k)
		}
		if row.DetailType == DetailOpened {
			k.Target, k.OpenedAt = d.target(), row.At
		} else {
			k.EndedAt, k.Began = row.At, d.StartedAt != 0
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]Known, len(all))
	for i, k := range all {
		if k.EndedAt == 0 {
			task, ok := t.Tasks.Get(model.TaskKey(s, k.Target.Cluster, k.Target.Task))
			if !ok || task.Last == model.TaskStopped {
				k.EndedAt = k.OpenedAt
				if ok && task.StoppedAt > k.OpenedAt {
					k.EndedAt = task.StoppedAt
				}
			}
		}
		k.Connected = k.EndedAt == 0 && e.relays[k.ID] != nil
		out[i] = *k
	}
	slices.SortStableFunc(out, func(a, b Known) int { return cmp.Compare(a.OpenedAt, b.OpenedAt) })
	return out
}

// target is the container in which the session is.
func (o *opening) target() model.SessionTarget {
	arn, _ := model.ParseARN(o.TaskArn)
	cluster, task, _ := strings.Cut(strings.TrimPrefix(arn.Tail, "task/"), "/")
	return model.SessionTarget{Cluster: cluster, Task: task, Runtime: o.RuntimeID}
}
