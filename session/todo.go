package session

import "sync"

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

// take removes the oldest key.
func (t *todo) take() (key string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.queue = nil
		return "", false
	}
	key, t.queue = t.queue[0], t.queue[1:]
	delete(t.queued, key)
	return key, true
}
