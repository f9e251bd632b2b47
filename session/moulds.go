package session

import (
	"crypto/rand"
	"sync"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
)

// moulds keeps what tasks of one kind are told, so that thousands of them are rendered once. It is a cache: forgetting costs time.
type moulds struct {
	word string // occurs in no definition

	mu   sync.Mutex
	kept map[mouldKey]*definition.Mould // guarded by mu
}

// mouldKey is all that the payload of a task depends on, besides what is the task's own.
type mouldKey struct {
	definition.Kind
	row       *model.TaskDefinition // as it is now: a row never changes, another one takes its place
	cluster   string                // ARN
	logMode   string
	endpoint  string
	alone     bool // NoEndpoint
	execution bool // has an execution role
}

// maxMoulds bounds the cache; a mould is a few KiB.
const maxMoulds = 1000

func newMoulds() *moulds { return &moulds{word: rand.Text(), kept: map[mouldKey]*definition.Mould{}} }

// get returns the mould for a task; make makes it if there is none yet.
func (m *moulds) get(key mouldKey, make func(word string) (*definition.Mould, error)) (*definition.Mould, error) {
	m.mu.Lock()
	have := m.kept[key]
	m.mu.Unlock()
	if have != nil {
		return have, nil
	}
	made, err := make(m.word)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) >= maxMoulds {
		clear(m.kept)
	}
	m.kept[key] = made
	return made, nil
}
