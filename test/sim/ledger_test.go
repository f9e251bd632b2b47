package sim_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ledger knows what was promised and what was seen, on whichever member, and notes what contradicts it.
type ledger struct {
	mu       sync.Mutex
	breaches []string
	dropped  int              // breaches beyond the first maxBreaches
	seen     map[string]seen  // tasks by key, at the newest revision that a member has shown
	started  map[string]order // by the ARNs that RunTask answered
	ended    map[string]bool  // ARNs whose StopTask was answered
	recent   []*state.Revision
	tally    tally
}

// tally is what a run amounts to.
type tally struct {
	calls, placed, unplaced, stops int
	revisions, changes             int // all members'
	lastRevision                   int64
}

// seen is how far a task was at a revision.
type seen struct {
	revision int64
	task     *model.Task
}

const (
	maxBreaches = 20
	keepRecent  = 50
)

func newLedger() *ledger {
	return &ledger{seen: map[string]seen{}, started: map[string]order{}, ended: map[string]bool{}}
}

func (l *ledger) breach(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(format, args...)
}

// note is breach. Caller holds mu.
func (l *ledger) note(format string, args ...any) {
	if len(l.breaches) == maxBreaches {
		l.dropped++
		return
	}
	l.breaches = append(l.breaches, fmt.Sprintf(format, args...))
}

// answered takes the answer of a RunTask: copies that were not placed are explained, and none is given twice. To a repetition the
// same tasks are answered again [D] (SEMANTICS §1.5), without the failures.
func (l *ledger) answered(o order, again bool, a *answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.calls++
	l.tally.placed += len(a.Tasks)
	l.tally.unplaced += o.count - len(a.Tasks)
	for _, t := range a.Tasks {
		if _, twice := l.started[t.TaskArn]; twice {
			l.note("RunTask answered %s twice", t.TaskArn)
		}
		l.started[t.TaskArn] = o
	}
	if len(a.Tasks) > o.count {
		l.note("RunTask %v started %d", o, len(a.Tasks))
	}
	if len(a.Tasks) < o.count && len(a.Failures) == 0 && !again {
		l.note("RunTask %v started %d and explains nothing", o, len(a.Tasks))
	}
	named := map[string]bool{}
	for _, f := range a.Failures {
		known := strings.Contains(f.Arn, ":container-instance/"+cluster+"/") || strings.Contains(f.Arn, ":capacity-provider/") || o.family == fargate && f.Arn == ""
		if f.Reason == "" || !known || named[f.Arn] {
			l.note("RunTask %v fails with reason %q of %q", o, f.Reason, f.Arn)
		}
		named[f.Arn] = true
	}
}

// stopped takes the answer of a StopTask.
func (l *ledger) stopped(arn string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.stops++
	l.ended[arn] = true
}

// known are the ARNs that RunTask answered, sorted.
func (l *ledger) known() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.started))
}

// watch checks every revision of a member until ctx ends.
func (l *ledger) watch(ctx context.Context, name string, db *state.DB) {
	snap, cursor := db.Watch()
	b := newBook(name, l)
	b.load(snap)
	for {
		r, err := cursor.Next(ctx)
		if err != nil {
			return
		}
		l.mu.Lock()
		l.tally.revisions++
		l.tally.changes += len(r.Changes)
		if rev := r.Snapshot.Revision; rev > l.tally.lastRevision {
			l.tally.lastRevision = rev
			l.recent = append(l.recent, r)
			l.recent = l.recent[max(0, len(l.recent)-keepRecent):]
		}
		l.mu.Unlock()
		if r.Reset {
			b.load(r.Snapshot)
		} else {
			b.turn(snap, r)
		}
		snap = r.Snapshot
	}
}

// check compares a task with how it was seen before: everything observed only moves forward.
func (l *ledger) check(member string, revision int64, t *model.Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	have, ok := l.seen[t.Key()]
	older, newer := have.task, t
	if !ok || revision >= have.revision {
		l.seen[t.Key()] = seen{revision, t}
	} else {
		older, newer = t, have.task
	}
	if ok && older != newer {
		if what := backwards(older, newer); what != "" {
			l.note("%s: task %s went back between revisions %d and %d: %s", member, t.ID, min(revision, have.revision), max(revision, have.revision), what)
		}
	}
	if t.Last == model.TaskStopped && (t.Desired != model.TaskStopped || t.StopCode == "" || t.StopReason == "" || t.StoppedAt == 0) {
		l.note("%s: task %s is STOPPED at revision %d, but desired %s, code %q, reason %q", member, t.ID, revision, t.Desired, t.StopCode, t.StopReason)
	}
}

func rank(status string) int {
	return slices.Index([]string{model.TaskProvisioning, model.TaskPending, model.TaskActivating, model.TaskRunning,
		model.TaskDeactivating, model.TaskStopping, model.TaskDeprovisioning, model.TaskStopped}, status)
}

// backwards says what of a task went back, "" if nothing did.
func backwards(a, b *model.Task) string {
	switch {
	case rank(b.Last) < rank(a.Last):
		return "lastStatus " + a.Last + " to " + b.Last
	case a.Desired == model.TaskStopped && b.Desired != model.TaskStopped:
		return "desiredStatus " + a.Desired + " to " + b.Desired
	case a.Instance != "" && (a.Instance != b.Instance || a.InstanceKey() != b.InstanceKey()):
		return "from instance " + a.Instance + " to " + cmp.Or(b.Instance, "none")
	case a.StopCode != "" && a.StopCode != b.StopCode:
		return "stopCode " + a.StopCode + " to " + b.StopCode
	case b.Version < a.Version || b.Version == a.Version && (a.Last != b.Last || a.Desired != b.Desired):
		return fmt.Sprintf("version %d to %d", a.Version, b.Version)
	}
	return ""
}

// absent notes tasks that a newer snapshot of a member lacks.
func (l *ledger) absent(member string, s *state.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, was := range l.seen {
		if _, ok := s.Tasks.Get(key); !ok && was.revision <= s.Revision {
			l.note("%s: task %s of revision %d is not there at revision %d", member, was.task.ID, was.revision, s.Revision)
		}
	}
}

// history is the last revisions in words.
func (l *ledger) history() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	for _, r := range l.recent {
		fmt.Fprintf(&out, "  rev %d", r.Snapshot.Revision)
		if r.Reset {
			out.WriteString(" (reset)")
		}
		for i := range r.Changes {
			if i == 6 {
				fmt.Fprintf(&out, ", and %d more", len(r.Changes)-i)
				break
			}
			out.WriteString(", " + describe(&r.Changes[i]))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func describe(c *state.Change) string {
	row := func(x any) string {
		switch r := x.(type) {
		case *model.Task:
			return fmt.Sprintf("%s/%s@%.6s", r.Last, r.Desired, r.Instance)
		case *model.Instance:
			return fmt.Sprintf("%s connected=%t", r.Status, r.AgentConnected)
		case nil:
			return "none"
		}
		return "row"
	}
	id := c.Key[strings.LastIndexByte(c.Key, '/')+1:]
	return fmt.Sprintf("%s %.12s: %s -> %s", c.Table, id, row(c.Old), row(c.New))
}
