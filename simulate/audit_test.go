package simulate

import (
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// settled is a world with one node of 1000 units, one GPU and one task that runs, an hour old.
func settled(t *testing.T) (w *world, task *model.Task) {
	t.Helper()
	f, err := Read(strings.NewReader(`
until: 2h
nodes: {n: {cpu: 1000, memory: 1000, gpus: 1}}
tasks: {web: {cpu: 400, memory: 400, gpus: 1, ports: [80], start: 1s}}
events: [at 00:00 run 1 web]
`))
	if err != nil {
		t.Fatal(err)
	}
	w, err = newWorld(t.Context(), f, newBooks(nil, nil, f.Until))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.found(); err != nil {
		t.Fatal(err)
	}
	w.script()
	if err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.now = time.Hour
	for row := range w.db.Snapshot().Tasks.All() {
		task = row
	}
	return w, task
}

// The audit finds what is wrong: a control plane that breaks a promise does not get away with it.
func TestViolationsAreFound(t *testing.T) {
	put := func(change func(*model.Task)) func(*testing.T, *world, *model.Task) {
		return func(t *testing.T, w *world, old *model.Task) {
			row := *old
			row.Version++
			change(&row)
			if err := w.update(func(tx *state.Tx) error { tx.Tasks.Put(&row); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	// second makes another task that was asked for, with what it takes of the node.
	second := func(reserved model.Resources) func(*testing.T, *world, *model.Task) {
		return func(t *testing.T, w *world, old *model.Task) {
			put(func(row *model.Task) {
				row.ID, row.Reserved = strings.Repeat("f", 32), reserved
				j := w.newJobs(&occasion{}, &w.file.Tasks[0], 1)[0]
				j.key = row.Key()
				w.jobs[j.key] = j
			})(t, w, old)
		}
	}
	tests := []struct {
		name string
		do   func(*testing.T, *world, *model.Task)
		want string // "" for none
	}{
		{"nothing", func(*testing.T, *world, *model.Task) {}, ""},
		{"CPU sold twice", second(model.Resources{CPU: 700}), "oversold: 1100 of 1000 units"},
		{"memory sold twice", second(model.Resources{Memory: 601}), "1001 of 1000 MiB"},
		{"interfaces sold twice", second(model.Resources{ENIs: 251}), "251 network interfaces"},
		{"a port sold twice", second(model.Resources{PortsTCP: []int32{80}}), "two tasks have its TCP port 80"},
		{"a GPU sold twice", second(model.Resources{GPUs: []string{"gpu-n1-0"}}), "two tasks have its GPU gpu-n1-0"},
		{"a status that goes back", put(func(row *model.Task) { row.Last = model.TaskPending }), "web#1 went from RUNNING"},
		{"a version that stays", put(func(row *model.Task) { row.Version-- }), "version 2 to RUNNING wanted RUNNING version 2"},
		{"a task that moves", put(func(row *model.Task) { row.Instance = "elsewhere" }), "moved from instance"},
		{"a task that nobody asked for", put(func(row *model.Task) { row.ID = strings.Repeat("e", 32) }), "nobody asked for it"},
		{"a task that vanishes", func(t *testing.T, w *world, old *model.Task) {
			if err := w.update(func(tx *state.Tx) error { tx.Tasks.Delete(old.Key()); return nil }); err != nil {
				t.Fatal(err)
			}
		}, "went away while it was RUNNING"},
		{"a node that does not know", func(_ *testing.T, w *world, old *model.Task) { delete(w.nodes[0].tasks, old.Key()) },
			"n1 does not know what the row of web#1 says"},
		{"a task that runs on", func(t *testing.T, w *world, old *model.Task) {
			put(func(row *model.Task) { *row, _ = row.Lose("gone", 1) })(t, w, old)
			w.settle()
			clear(w.nodes[0].noted) // it is never told
		}, "runs web#1, which is over"},
		{"a task that is not counted", func(_ *testing.T, w *world, _ *model.Task) { w.sums.asked++ }, "2 tasks were asked for"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, task := settled(t)
			tt.do(t, w, task)
			w.settle()
			w.audit()
			got := strings.Join(w.violations, "\n")
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("found %q, want %q in it", got, tt.want)
			}
		})
	}
}
