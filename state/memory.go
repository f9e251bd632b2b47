package state

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/tidwall/btree"
)

// Memory is a store that lives as long as the process, for tests and simulation. Each member of the control plane
// gets its own Backend from Member; all see one set of rows.
type Memory struct {
	mu       sync.Mutex
	revision int64
	rows     *btree.Map[string, []byte]
	log      []Batch       // every batch after compacted
	written  chan struct{} // closed and replaced at every batch
	floor    int64         // batches up to it are compacted
	leader   *memoryTerm
	elected  chan struct{} // closed and replaced at every change of leader
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{rows: &btree.Map[string, []byte]{}, written: make(chan struct{}), elected: make(chan struct{}), revision: 1}
}

// Member returns a member's backend.
func (m *Memory) Member() Backend { return &memoryMember{m: m, closed: make(chan struct{})} }

// Compact forgets the batches up to the newest, so that watches from before it fail with ErrCompacted.
func (m *Memory) Compact() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.floor, m.log = m.revision, nil
	m.signal()
}

// Depose ends the current term, as when a leader loses its lease.
func (m *Memory) Depose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.depose(m.leader)
}

// signal wakes the watches. Caller holds mu.
func (m *Memory) signal() {
	close(m.written)
	m.written = make(chan struct{})
}

// depose ends t if it leads. Caller holds mu.
func (m *Memory) depose(t *memoryTerm) {
	if t == nil || m.leader != t {
		return
	}
	close(t.lost)
	m.leader = nil
	close(m.elected)
	m.elected = make(chan struct{})
}

type memoryTerm struct {
	member    *memoryMember
	advertise string
	lost      chan struct{}
}

func (t *memoryTerm) Lost() <-chan struct{} { return t.lost }

type memoryMember struct {
	m      *Memory
	once   sync.Once
	closed chan struct{}
}

var errMemoryClosed = errors.New("memory backend closed")

func (b *memoryMember) Campaign(ctx context.Context, advertise string) (Term, error) {
	for {
		b.m.mu.Lock()
		if b.m.leader == nil {
			t := &memoryTerm{member: b, advertise: advertise, lost: make(chan struct{})}
			b.m.leader = t
			close(b.m.elected)
			b.m.elected = make(chan struct{})
			b.m.mu.Unlock()
			return t, nil
		}
		changed := b.m.elected
		b.m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.closed:
			return nil, errMemoryClosed
		}
	}
}

func (b *memoryMember) Leader(context.Context) (string, <-chan struct{}, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if b.m.leader == nil {
		return "", b.m.elected, nil
	}
	return b.m.leader.advertise, b.m.elected, nil
}

func (b *memoryMember) Load(ctx context.Context) (int64, iter.Seq[Pair], error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	rows := b.m.rows.Copy()
	return b.m.revision, func(yield func(Pair) bool) {
		rows.Scan(func(k string, v []byte) bool { return yield(Pair{k, v}) })
	}, ctx.Err()
}

func (b *memoryMember) Watch(ctx context.Context, after int64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for {
			batches, more, err := b.m.since(after)
			if err != nil {
				yield(Batch{}, err)
				return
			}
			for _, batch := range batches {
				after = batch.Revision
				if !yield(batch, nil) {
					return
				}
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			case <-b.closed:
				yield(Batch{}, errMemoryClosed)
				return
			}
		}
	}
}

// since returns the batches after a revision and a channel that is closed when there are more.
func (m *Memory) since(after int64) ([]Batch, <-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after < m.floor {
		return nil, nil, ErrCompacted
	}
	i := len(m.log)
	for i > 0 && m.log[i-1].Revision > after {
		i--
	}
	return m.log[i:len(m.log):len(m.log)], m.written, nil
}

func (b *memoryMember) Commit(ctx context.Context, term Term, pairs []Pair) (int64, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	select {
	case <-b.closed:
		return 0, errMemoryClosed
	default:
	}
	if t, ok := term.(*memoryTerm); !ok || b.m.leader != t {
		return 0, ErrFenced
	}
	if len(pairs) > b.MaxBatch() {
		return 0, ErrTooLarge
	}
	b.m.revision++
	for _, p := range pairs {
		if p.Value == nil {
			b.m.rows.Delete(p.Key)
		} else {
			b.m.rows.Set(p.Key, p.Value)
		}
	}
	b.m.log = append(b.m.log, Batch{b.m.revision, pairs})
	if len(b.m.log) > memoryHistory {
		b.m.floor = b.m.log[memoryHistory/2-1].Revision
		b.m.log = append([]Batch(nil), b.m.log[memoryHistory/2:]...)
	}
	b.m.signal()
	return b.m.revision, nil
}

// memoryHistory is how many batches are kept for watches that lag.
const memoryHistory = 10_000

func (b *memoryMember) Resign(_ context.Context, term Term) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	t, _ := term.(*memoryTerm)
	b.m.depose(t)
	return nil
}

func (b *memoryMember) MaxBatch() int { return 4096 }

func (b *memoryMember) Close() error {
	b.once.Do(func() {
		close(b.closed)
		b.m.mu.Lock()
		defer b.m.mu.Unlock()
		if b.m.leader != nil && b.m.leader.member == b {
			b.m.depose(b.m.leader)
		}
	})
	return nil
}
