package session

import (
	"slices"
	"sync"
)

// todo is where a session has to look again: tasks by key, first come first served, each once, or everything. Rows are the
// truth; a key here only says where to look.
type todo struct {
	wake chan struct{} // has an entry when there is something

	mu     sync.Mutex
	all    bool                // guarded by mu
	queue  []string            // guarded by mu
	queued map[string]struct{} // the keys in queue; guarded by mu
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
