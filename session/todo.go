package session

import (
	"slices"
	"sync"

	"github.com/roadstead/roadstead/acs"
)

// todo is what a session has to do. Where it is to look again: tasks by key, first come first served, each once, or everything; rows are
// the truth, a key here only says where to look. And what it is to tell the agent.
type todo struct {
	wake chan struct{} // has an entry when there is something

	mu     sync.Mutex
	all    bool                // guarded by mu
	queue  []string            // guarded by mu
	queued map[string]struct{} // the keys in queue; guarded by mu
	// answers are those of reports, and ended why the session is to end; guarded by mu
	answers []acs.RoadsteadReported
	ended   error
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

// reply has an answer sent.
func (t *todo) reply(a acs.RoadsteadReported) {
	t.mu.Lock()
	t.answers = append(t.answers, a)
	t.mu.Unlock()
	t.signal()
}

// end has the session end.
func (t *todo) end(err error) {
	t.mu.Lock()
	t.ended = err
	t.mu.Unlock()
	t.signal()
}

// takeAnswers removes the answers, or says why the session is to end.
func (t *todo) takeAnswers() ([]acs.RoadsteadReported, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	answers := t.answers
	t.answers = nil
	return answers, t.ended
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
