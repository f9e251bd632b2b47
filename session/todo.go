package session

import (
	"context"
	"slices"
	"sync"
)

// todo is what a session has to do. Where it is to look again: tasks by key, first come first served, each once, or everything; rows are
// the truth, a key here only says where to look. And what else others ask of it.
type todo struct {
	mu     sync.Mutex
	look   func()                            // has somebody see to all that there is to do, and does not wait; nil: nobody does yet, or any more; guarded by mu
	called bool                              // somebody will look, or there is something; guarded by mu
	all    bool                              // guarded by mu
	queue  []string                          // guarded by mu
	queued map[string]struct{}               // the keys in queue; guarded by mu
	jobs   []func(ctx context.Context) error // guarded by mu
	ended  error                             // why the session is to end, nil if it is not; guarded by mu
}

func newTodo() *todo { return &todo{queued: map[string]struct{}{}} }

// begin has look called whenever there is something to do and nobody has been called who has not looked yet.
func (t *todo) begin(look func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look = look
	if t.called {
		look()
	}
}

// close has nobody called any more, and says why the session is to end, nil if nobody has said so.
func (t *todo) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look = nil
	return t.ended
}

// call calls who is to look. Caller holds mu.
func (t *todo) call() {
	if !t.called && t.look != nil {
		t.look()
	}
	t.called = true
}

// add notes the key of a task.
func (t *todo) add(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.queued[key]; !ok {
		t.queued[key] = struct{}{}
		t.queue = append(t.queue, key)
	}
	t.call()
}

// addAll notes that everything may have changed.
func (t *todo) addAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = true
	t.call()
}

// do has the session do something.
func (t *todo) do(job func(ctx context.Context) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.jobs = append(t.jobs, job)
	t.call()
}

// end has the session end. The first reason counts.
func (t *todo) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		t.ended = err
	}
	t.call()
}

// takeJobs removes the jobs, or says why the session is to end. Who takes them sees to all that there is to do.
func (t *todo) takeJobs() ([]func(ctx context.Context) error, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.called = false
	jobs := t.jobs
	t.jobs = nil
	return jobs, t.ended
}

// signal says that there is something to do.
func (t *todo) signal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.call()
}

// takeAll reports whether everything may have changed, and forgets it.
func (t *todo) takeAll() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.all
	t.all = false
	return all
}

// take removes up to n keys, the oldest first.
func (t *todo) take(n int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := t.queue[:min(n, len(t.queue))]
	t.queue = t.queue[len(keys):]
	for _, key := range keys {
		delete(t.queued, key)
	}
	return slices.Clip(keys)
}
