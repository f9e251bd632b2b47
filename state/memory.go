package state

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// Memory is a store that lives as long as the process, for tests and simulation. Each member of the control plane
// gets its own Backend from Member; all see one set of rows.
type Memory struct {
	mu       sync.Mutex
	revision int64
	rows     *btree.Map[string, []byte]
	log      []Batch       // every batch after floor
	logged   int           // pairs in log
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
	m.floor, m.log, m.logged = m.revision, nil, 0
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

// append makes the next revision of the pairs. Caller holds mu.
func (m *Memory) append(pairs []Pair) int64 {
	m.revision++
	m.log = append(m.log, Batch{m.revision, pairs})
	if m.logged += len(pairs); len(m.log) > memoryHistory || m.logged > memoryPairs {
		m.trim()
	}
	m.signal()
	return m.revision
}

// memoryHistory is how many batches, and memoryPairs how many pairs in them, are kept for watches that lag.
const (
	memoryHistory = 10_000
	memoryPairs   = 50_000
)

// trim forgets the older half of the batches, but never the newest. Caller holds mu.
func (m *Memory) trim() {
	half := len(m.log) / 2
	for _, b := range m.log[:half] {
		m.logged -= len(b.Pairs)
		m.floor = b.Revision
	}
	m.log = slices.Clone(m.log[half:])
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
	revision  int64
	last      int64 // number of the newest commit; guarded by Memory.mu
	lost      chan struct{}
}

func (t *memoryTerm) Revision() int64       { return t.revision }
func (t *memoryTerm) Lost() <-chan struct{} { return t.lost }

type memoryMember struct {
	m      *Memory
	once   sync.Once
	closed chan struct{}
}

// check returns why a call must not begin.
func (b *memoryMember) check(ctx context.Context) error {
	select {
	case <-b.closed:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

func (b *memoryMember) Campaign(ctx context.Context, advertise string) (Term, error) {
	for {
		if err := b.check(ctx); err != nil {
			return nil, err
		}
		t, changed := b.m.seize(b, advertise)
		if t != nil {
			return t, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		case <-b.closed:
		}
	}
}

// seize makes the member the leader if there is none; else it returns a channel closed when there may be none.
func (m *Memory) seize(b *memoryMember, advertise string) (*memoryTerm, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leader != nil {
		return nil, m.elected
	}
	m.leader = &memoryTerm{member: b, advertise: advertise, revision: m.append(nil), lost: make(chan struct{})}
	close(m.elected)
	m.elected = make(chan struct{})
	return m.leader, nil
}

func (b *memoryMember) Leader(ctx context.Context) (string, <-chan struct{}, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if b.m.leader == nil {
		return "", b.m.elected, b.check(ctx)
	}
	return b.m.leader.advertise, b.m.elected, b.check(ctx)
}

func (b *memoryMember) Load(ctx context.Context) (int64, iter.Seq2[Pair, error], error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	rows := b.m.rows.Copy()
	return b.m.revision, func(yield func(Pair, error) bool) {
		rows.Scan(func(k string, v []byte) bool { return yield(Pair{Key: k, Value: v}, nil) })
	}, b.check(ctx)
}

func (b *memoryMember) Watch(ctx context.Context, after int64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for {
			batches, more, err := b.m.since(after)
			if b.check(context.Background()) != nil {
				err = ErrClosed
			}
			if err != nil {
				yield(Batch{}, err)
				return
			}
			for _, batch := range batches {
				after = batch.Revision
				if ctx.Err() != nil || !yield(batch, nil) {
					return
				}
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			case <-b.closed:
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

func (b *memoryMember) Commit(ctx context.Context, term Term, seq int64, pairs []Pair) (int64, error) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if err := b.check(ctx); err != nil {
		return 0, err
	}
	t, ok := term.(*memoryTerm)
	if !ok || b.m.leader != t {
		return 0, ErrFenced
	}
	if tooLarge(pairs, b) {
		return 0, ErrTooLarge
	}
	if seq != 0 {
		if seq != t.last+1 {
			return 0, ErrOrder
		}
		t.last = seq
	}
	var written []Pair
	for _, p := range pairs {
		written = b.m.write(p, written)
	}
	return b.m.append(written), nil
}

// write applies one pair and appends what watches are told. Caller holds mu.
func (m *Memory) write(p Pair, written []Pair) []Pair {
	switch {
	case p.Value != nil:
		m.rows.Set(p.Key, p.Value)
		return append(written, p)
	case !p.Prefix:
		if _, ok := m.rows.Delete(p.Key); ok {
			written = append(written, p)
		}
		return written
	}
	from := len(written)
	m.rows.Ascend(p.Key, func(k string, _ []byte) bool {
		if !strings.HasPrefix(k, p.Key) {
			return false
		}
		written = append(written, Pair{Key: k})
		return true
	})
	for _, w := range written[from:] {
		m.rows.Delete(w.Key)
	}
	return written
}

// tooLarge reports whether the pairs are more than the backend commits at once.
func tooLarge(pairs []Pair, b Backend) bool {
	rows, bytes := b.MaxBatch()
	return len(pairs) > rows || sizeOf(pairs) > bytes
}

func sizeOf(pairs []Pair) int {
	n := 0
	for i := range pairs {
		n += len(pairs[i].Key) + len(pairs[i].Value)
	}
	return n
}

func (b *memoryMember) Resign(_ context.Context, term Term) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	if err := b.check(context.Background()); err != nil {
		return err
	}
	t, _ := term.(*memoryTerm)
	b.m.depose(t)
	return nil
}

func (b *memoryMember) MaxBatch() (pairs, bytes int) { return 4096, 4 << 20 }

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
