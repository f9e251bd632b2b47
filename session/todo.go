package session

import (
	"context"
	"slices"
	"sync"
)

// todo is what a session has to do. Where it is to look again: tasks by key, first come first served, each once, or everything; rows are
// the truth, a key here only says where to look. And what else others ask of it.
type todo struct {
	wake chan struct{} // has an entry when there is something

	mu     sync.Mutex
	all    bool                              // guarded by mu
	queue  []string                          // guarded by mu
	queued map[string]struct{}               // the keys in queue; guarded by mu
	jobs   []func(ctx context.Context) error // guarded by mu
	ended  error                             // why the session is to end, nil if it is not; guarded by mu
}

func newTodo() *todo { return &todo{wake: make(chan struct{}, 1), queued: map[string]struct{}{}} }

// add notes the key of a task.
func (t *todo) add(key string) {
	t.mu.Lock()
	if _, ok := t.queued[key]; !ok {
		t.queued[key] = struct{}{}
		t.queue = append(t.queue, key)
	}
	t.mu.Unlock()
	t.signal()
}

// addAll notes that everything may have changed.
func (t *todo) addAll() {
	t.mu.Lock()
	t.all = true
	t.mu.Unlock()
	t.signal()
}

// do has the session do something.
func (t *todo) do(job func(ctx context.Context) error) {
	t.mu.Lock()
	t.jobs = append(t.jobs, job)
	t.mu.Unlock()
	t.signal()
}

// end has the session end. The first reason counts.
func (t *todo) end(err error) {
	t.mu.Lock()
	if t.ended == nil {
		t.ended = err
	}
	t.mu.Unlock()
	t.signal()
}

// takeJobs removes the jobs, or says why the session is to end. Who takes them sees to all that there is to do.
func (t *todo) takeJobs() ([]func(ctx context.Context) error, error) {
	select {
	case <-t.wake:
	default:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	jobs := t.jobs
	t.jobs = nil
	return jobs, t.ended
}

func (t *todo) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
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
