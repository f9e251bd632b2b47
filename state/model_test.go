package state_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
	"pgregory.net/rapid"
)

func TestModelOnMemory(t *testing.T) {
	var cases, acked, refused, noSpace, unknown, faults, chaos int
	rapid.Check(t, func(rt *rapid.T) {
		plan := statetest.Plan{
			Seed:    rapid.Uint64().Draw(rt, "seed"),
			Members: rapid.IntRange(1, 4).Draw(rt, "members"),
			Writers: rapid.IntRange(1, 6).Draw(rt, "writers"),
			Updates: rapid.IntRange(1, 15).Draw(rt, "updates"),
			Faults:  rapid.Float64Range(0, 0.4).Draw(rt, "faults"),
			Chaos:   rapid.IntRange(0, 10).Draw(rt, "chaos"),
		}
		synctest.Test(t, func(t *testing.T) {
			m := state.NewMemory()
			store := statetest.Store{Open: m.Member, Compact: m.Compact, Depose: m.Depose}
			out := statetest.Model(t.Context(), rt, store, plan)
			cases++
			acked, refused, noSpace, unknown = acked+out.Acked, refused+out.Refused, noSpace+out.NoSpace, unknown+out.Unknown
			for _, n := range out.Faults {
				faults += n
			}
			for _, n := range out.Chaos {
				chaos += n
			}
		})
	})
	t.Logf("%d cases: %d acknowledged, %d refused, %d without space, %d unknown; %d faults, %d disturbances",
		cases, acked, refused, noSpace, unknown, faults, chaos)
}

func TestModelOnEmbeddedEtcd(t *testing.T) {
	t.Parallel()
	server := openEtcd(t, state.EtcdConfig{Dir: tempDir(t), Ballast: smallBallast})
	next := prefixes()
	for seed := range uint64(6) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // on a busy machine a term is lost now and then, and takes seconds to begin
		prefix := next()
		e := server.Sibling(prefix)
		store := etcdStore(t, e, func() state.Backend { return server.Sibling(prefix) })
		out := statetest.Model(ctx, t, store, statetest.Plan{
			Seed: seed, Members: 1 + int(seed)%3, Writers: 4, Updates: 12, Faults: 0.1, Chaos: 4,
		})
		t.Logf("seed %d: %+v", seed, out)
		_ = e.Close()
		cancel()
	}
}

// Disturbances that find nothing to disturb are none: on a busy machine nothing is written between two compactions, and a leader is gone
// before it is deposed.
func TestDisturbancesMeetNobody(t *testing.T) {
	t.Parallel()
	server := openEtcd(t, state.EtcdConfig{Dir: tempDir(t), Ballast: smallBallast})
	store := etcdStore(t, server, nil)
	for range 2 {
		store.Compact()
		store.Depose()
	}
	term, err := server.Campaign(t.Context(), "http://0")
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(store.Depose)
	both.Go(func() {
		if err := server.Resign(t.Context(), term); err != nil {
			t.Error(err)
		}
	})
	both.Wait()
	store.Depose()
}
