package statetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Plan is one run of the model check.
type Plan struct {
	Seed    uint64
	Members int
	Writers int
	Updates int     // of each writer
	Faults  float64 // share of calls that fail
	Chaos   int     // depositions, compactions, crashes and wipes during the run
}

// Outcome counts what happened in a run.
type Outcome struct {
	Acked, Refused, NoSpace, Unknown int
	Chaos                            map[string]int
	Faults                           map[Fault]int
}

// T is the part of testing.T and rapid.T that the model check needs.
type T interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Scope and Codec are those of the rows that tests write.
var (
	Scope = model.Scope{Account: "000000000000", Region: "us-east-1"}
	Codec = state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}
)

// Model runs DBs on a store whose backends fail at random, has writers update them, and checks that
//
//   - every acknowledged update is there at the end, and no refused one ever;
//   - every update is whole in every snapshot of every member: a counter row equals the number of marker rows, though
//     every update reads and writes it;
//   - what is acknowledged is in the snapshot of the member that acknowledged it;
//   - all members see the same rows at the same revision, and revisions only grow;
//   - the changes of a revision lead from the snapshot before it to its own.
func Model(ctx context.Context, t T, store Store, p Plan) Outcome {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	m := &modelRun{T: t, plan: p, store: store, ctx: ctx, seen: map[int64]uint64{}, out: Outcome{Chaos: map[string]int{}, Faults: map[Fault]int{}}}
	for i := range p.Members {
		m.members = append(m.members, m.start(i))
	}
	var writers, chaos sync.WaitGroup
	for w := range p.Writers {
		writers.Go(func() { m.write(w) })
	}
	chaos.Go(m.disturb)
	writers.Wait()
	m.ended.Store(true)
	chaos.Wait()
	m.finish()
	cancel()
	for _, x := range m.members {
		x.stop()
	}
	return m.out
}

type modelRun struct {
	T
	plan    Plan
	store   Store
	ctx     context.Context //nolint:containedctx // of the whole run
	ended   atomic.Bool     // no more faults and chaos
	members []*modelMember

	mu    sync.Mutex
	seen  map[int64]uint64 // digest of the rows at a revision
	acked []string
	never []string
	out   Outcome
}

// modelMember is one member, replaced by a new one when it crashes.
type modelMember struct {
	run     *modelRun
	index   int
	db      atomic.Pointer[state.DB]
	mu      sync.Mutex
	crashes uint64
	halt    func()
}

func (m *modelRun) start(i int) *modelMember {
	x := &modelMember{run: m, index: i}
	x.boot()
	return x
}

// boot opens the member's backend and runs its DB and a reader of it.
func (x *modelMember) boot() {
	m := x.run
	seeded := Seeded(m.plan.Seed+uint64(x.index)*1000+x.crashes, m.plan.Faults)
	faulty := NewFaulty(m.store.Open(), func(call string) Fault {
		if m.ended.Load() {
			return None
		}
		return seeded(call)
	})
	db := state.Open(state.Config{Backend: faulty, Codec: Codec, Advertise: fmt.Sprintf("http://%d", x.index)})
	ctx, cancel := context.WithCancel(m.ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = db.Run(ctx) })
	running.Go(func() { m.read(ctx, db) })
	x.db.Store(db)
	x.halt = func() {
		cancel()
		running.Wait()
		_ = faulty.Close()
		m.mu.Lock()
		defer m.mu.Unlock()
		for f, n := range faulty.Counts() {
			m.out.Faults[f] += n
		}
	}
}

func (x *modelMember) crash() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.halt()
	x.crashes++
	x.boot()
}

func (x *modelMember) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.halt()
}

// read checks every revision that a DB shows.
func (m *modelRun) read(ctx context.Context, db *state.DB) {
	before, cursor := db.Watch()
	for {
		r, err := cursor.Next(ctx)
		if err != nil {
			return
		}
		s := r.Snapshot
		if s.Revision <= before.Revision && !r.Reset {
			m.Errorf("revision %d after %d", s.Revision, before.Revision)
		}
		m.checkWhole(s)
		if !r.Reset {
			m.checkChanges(before, r)
		}
		m.mu.Lock()
		d := digest(s)
		if have, ok := m.seen[s.Revision]; ok && have != d {
			m.Errorf("two members disagree about revision %d", s.Revision)
		}
		m.seen[s.Revision] = d
		m.mu.Unlock()
		before = s
	}
}

func (m *modelRun) checkWhole(s *state.Snapshot) {
	markers := s.Clusters.Len()
	if markers > 0 {
		markers--
	}
	if n := count(s.Tables); n != markers {
		m.Errorf("revision %d: the counter is %d with %d markers", s.Revision, n, markers)
	}
}

func (m *modelRun) checkChanges(before *state.Snapshot, r *state.Revision) {
	n := before.Clusters.Len()
	for _, c := range r.Changes {
		old, had := before.Clusters.Get(c.Key)
		if had != (c.Old != nil) || had && old.Status != c.Old.(*model.Cluster).Status {
			m.Errorf("revision %d: old row of %s differs", r.Snapshot.Revision, c.Key)
		}
		now, has := r.Snapshot.Clusters.Get(c.Key)
		if has != (c.New != nil) || has && now.Status != c.New.(*model.Cluster).Status {
			m.Errorf("revision %d: new row of %s differs", r.Snapshot.Revision, c.Key)
		}
		if has && !had {
			n++
		} else if had && !has {
			n--
		}
	}
	if n != r.Snapshot.Clusters.Len() {
		m.Errorf("revision %d: %d rows, changes give %d", r.Snapshot.Revision, r.Snapshot.Clusters.Len(), n)
	}
}

func digest(s *state.Snapshot) uint64 {
	h := fnv.New64a()
	for c := range s.Clusters.All() {
		_, _ = h.Write([]byte(c.Name + "=" + c.Status + "\n"))
	}
	return h.Sum64()
}

// count is the value of the counter row.
func count(t *state.Tables) int {
	c, ok := t.Clusters.Get(model.ClusterKey(Scope, "counter"))
	if !ok {
		return 0
	}
	n, _ := strconv.Atoi(c.Status)
	return n
}

func row(name, status string) *model.Cluster {
	return &model.Cluster{Scope: Scope, Name: name, Status: status}
}

// errRefused is what an update's function returns to have its changes undone.
var errRefused = errors.New("refused")

// write is one writer.
func (m *modelRun) write(w int) {
	r := rand.New(rand.NewPCG(m.plan.Seed, uint64(w)))
	for i := range m.plan.Updates {
		refuse := r.IntN(5) == 0
		for try := 0; ; try++ {
			marker := fmt.Sprintf("m-%d-%d-%d", w, i, try)
			db := m.members[r.IntN(len(m.members))].db.Load()
			err := db.Update(m.ctx, func(tx *state.Tx) error {
				tx.Clusters.Put(row(marker, "first"))
				tx.Clusters.Put(row("counter", strconv.Itoa(count(tx.Tables)+1)))
				tx.Clusters.Put(row(marker, "whole"))
				tx.Clusters.Put(row("gone-"+marker, "never"))
				tx.Clusters.Delete(model.ClusterKey(Scope, "gone-"+marker))
				if refuse {
					return errRefused
				}
				return nil
			})
			if m.account(db, marker, err) {
				break
			}
			if !pause(m.ctx, time.Duration(1+r.IntN(20))*time.Millisecond) {
				return
			}
		}
	}
}

// account notes what became of an update; false asks for another try.
func (m *modelRun) account(db *state.DB, marker string, err error) bool {
	_, visible := db.Snapshot().Clusters.Get(model.ClusterKey(Scope, marker))
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err == nil:
		m.out.Acked++
		m.acked = append(m.acked, marker)
		if !visible {
			m.Errorf("%s is acknowledged and not visible", marker)
		}
		return true
	case errors.Is(err, errRefused):
		m.out.Refused++
		m.never = append(m.never, marker)
		return true
	case errors.Is(err, state.ErrNoSpace):
		m.out.NoSpace++
		m.never = append(m.never, marker)
		return false
	case errors.Is(err, state.ErrNotLeader):
		m.out.Unknown++
		return false
	default:
		m.Errorf("update %s: %v", marker, err)
		return true
	}
}

// disturb spreads the chaos over the run.
func (m *modelRun) disturb() {
	r := rand.New(rand.NewPCG(m.plan.Seed, 99))
	for range m.plan.Chaos {
		if !pause(m.ctx, time.Duration(1+r.IntN(60))*time.Millisecond) || m.ended.Load() {
			return
		}
		kind := []string{"depose", "compact", "crash"}[r.IntN(3)]
		switch kind {
		case "depose":
			m.store.Depose()
		case "compact":
			m.store.Compact()
		case "crash":
			m.members[r.IntN(len(m.members))].crash()
		}
		m.mu.Lock()
		m.out.Chaos[kind]++
		m.mu.Unlock()
	}
}

// finish checks what is left when all is quiet again: on the leader, on all others, and in a fresh copy.
func (m *modelRun) finish() {
	last := m.lastWrite()
	if last == nil {
		return
	}
	for _, name := range m.acked {
		if _, ok := last.Clusters.Get(model.ClusterKey(Scope, name)); !ok {
			m.Errorf("%s was acknowledged and is lost", name)
		}
	}
	for _, name := range m.never {
		if _, ok := last.Clusters.Get(model.ClusterKey(Scope, name)); ok {
			m.Errorf("%s was refused and is there", name)
		}
	}
	for c := range last.Clusters.All() {
		if strings.HasPrefix(c.Name, "m-") && c.Status != "whole" {
			m.Errorf("%s is %s", c.Name, c.Status)
		}
	}
	for _, x := range m.members {
		s, cursor := x.db.Load().Watch()
		for s.Revision < last.Revision {
			r, err := cursor.Next(m.ctx)
			if err != nil {
				m.Errorf("member %d does not catch up: %v", x.index, err)
				return
			}
			s = r.Snapshot
		}
		if s.Revision == last.Revision && digest(s) != digest(last) {
			m.Errorf("member %d has other rows at the end", x.index)
		}
	}
}

// lastWrite updates whatever member leads and returns the snapshot with it.
func (m *modelRun) lastWrite() *state.Snapshot {
	for m.ctx.Err() == nil {
		for _, x := range m.members {
			db := x.db.Load()
			if !db.Leading() {
				continue
			}
			err := db.Update(m.ctx, func(tx *state.Tx) error {
				tx.Clusters.Put(row("m-last", "whole"))
				tx.Clusters.Put(row("counter", strconv.Itoa(count(tx.Tables)+1)))
				return nil
			})
			if err == nil {
				return db.Snapshot()
			}
		}
		pause(m.ctx, 5*time.Millisecond)
	}
	m.Errorf("nobody leads at the end")
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
