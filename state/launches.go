package state

import (
	"sync"

	"github.com/roadstead/roadstead/model"
)

// launches has tasks share what they have in common, whoever made or read them. It is a cache, of two generations: what it
// forgot costs memory and nothing else.
type launches struct {
	mu         sync.Mutex
	young, old map[string]*model.Launch // by their keys
	key        []byte                   // of one, used again
}

// maxLaunches is how many a generation has.
const maxLaunches = 1000

// share gives a task that becomes a row the launch that others have; before is what the row was, nil if there was none.
func (l *launches) share(before, t *model.Task) {
	if before != nil && before.Launch == t.Launch || t.Overrides != nil { // those of one call share it anyway
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.key = t.AppendKey(l.key[:0])
	if have, ok := l.young[string(l.key)]; ok {
		t.Launch = have
		return
	}
	if have, ok := l.old[string(l.key)]; ok {
		t.Launch = have
	}
	if l.young == nil || len(l.young) >= maxLaunches {
		l.old, l.young = l.young, map[string]*model.Launch{}
	}
	l.young[string(l.key)] = t.Launch
}
