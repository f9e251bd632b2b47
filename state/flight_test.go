package state_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// gate is a backend whose commits wait until they are let through.
type gate struct {
	state.Backend
	sizes []int // of the commits that have begun
	open  chan struct{}
}

func (g *gate) Commit(ctx context.Context, term state.Term, seq int64, pairs []state.Pair) (int64, error) {
	g.sizes = append(g.sizes, len(pairs))
	<-g.open
	return g.Backend.Commit(ctx, term, seq, pairs)
}

// A second group leaves while one is on its way only when it is as large; a smaller one waits for more, or for its turn.
func TestSecondFlightIsAsLargeAsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{Backend: state.NewMemory().Member(), open: make(chan struct{})}
		db := lead(t, g)
		names := 0
		write := func(rows int) {
			from := names
			names += rows
			go func() {
				err := db.Update(t.Context(), func(tx *state.Tx) error {
					for n := range rows {
						tx.Clusters.Put(&model.Cluster{Scope: scope, Name: fmt.Sprint("c", from+n)})
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		begun := func(when string, want ...int) {
			t.Helper()
			if synctest.Wait(); !slices.Equal(g.sizes, want) {
				t.Errorf("%s: commits of %v rows have begun, want %v", when, g.sizes, want)
			}
		}
		write(3)
		begun("the first leaves at once", 3)
		write(1)
		write(1)
		begun("two rows wait", 3)
		write(2)
		begun("four leave", 3, 4)
		write(9)
		begun("two are on their way", 3, 4)
		g.open <- struct{}{}
		begun("one has arrived", 3, 4, 9)
		write(1)
		g.open <- struct{}{}
		begun("one row beside nine waits", 3, 4, 9)
		g.open <- struct{}{}
		begun("nothing is on its way", 3, 4, 9, 1)
		g.open <- struct{}{}
		synctest.Wait()
		if n := db.Snapshot().Clusters.Len(); n != names {
			t.Errorf("%d rows, want %d", n, names)
		}
	})
}

// The memory store forgets its oldest batches by their size too, and says so to watches that lag.
func TestMemoryForgetsOldBatches(t *testing.T) {
	m := state.NewMemory().Member()
	defer func() { _ = m.Close() }()
	term, err := m.Campaign(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var first, last int64
	for n := range 60 {
		pairs := make([]state.Pair, 1000)
		for i := range pairs {
			pairs[i] = state.Pair{Key: fmt.Sprint("tasks/", i), Value: []byte{byte(n)}}
		}
		if last, err = m.Commit(t.Context(), term, 0, pairs); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = last
		}
	}
	next := func(after int64) (state.Batch, error) {
		for batch, err := range m.Watch(t.Context(), after) {
			return batch, err
		}
		return state.Batch{}, nil
	}
	if b, err := next(first); !errors.Is(err, state.ErrCompacted) {
		t.Errorf("after %d comes %d, %v", first, b.Revision, err)
	}
	if b, err := next(last - 1); b.Revision != last || len(b.Pairs) != 1000 || err != nil {
		t.Errorf("after %d comes %d of %d pairs, %v", last-1, b.Revision, len(b.Pairs), err)
	}
}
