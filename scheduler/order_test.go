package scheduler

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// An order is its entries sorted, whatever was entered and taken out before.
func TestOrderIsSorted(t *testing.T) {
	nodes := make(roster, 400)
	for n := range nodes {
		nodes[n] = &node{key: nodeKey{id: fmt.Sprint(n)}, number: n, hash: uint64(n/2) + 1} // some hashes are equal
	}
	compare := func(a, b entry) int { return one(nodes.before(&b, &a)) - one(nodes.before(&a, &b)) }
	rapid.Check(t, func(t *rapid.T) {
		o := order{nodes: &nodes}
		var want []entry
		small := rapid.Int64Range(0, rapid.SampledFrom([]int64{2, 20}).Draw(t, "values"))
		for range rapid.IntRange(1, 6).Draw(t, "phases") {
			enter := rapid.Bool().Draw(t, "enter")
			for range rapid.SampledFrom([]int{1, 10, 130, 300}).Draw(t, "many") {
				if enter || len(want) == 0 {
					n := nodes[rapid.IntRange(0, len(nodes)-1).Draw(t, "node")]
					e := entry{small.Draw(t, "a"), small.Draw(t, "b"), n.hash, n.number}
					if i, found := slices.BinarySearchFunc(want, e, compare); !found {
						want = slices.Insert(want, i, e)
						o.insert(e)
					}
					continue
				}
				i := rapid.IntRange(0, len(want)-1).Draw(t, "place")
				old := want[i]
				want = slices.Delete(want, i, i+1)
				if e := (entry{small.Draw(t, "a"), small.Draw(t, "b"), old.hash, old.node}); rapid.Bool().Draw(t, "move") {
					if at, found := slices.BinarySearchFunc(want, e, compare); !found {
						want = slices.Insert(want, at, e)
						o.move(old, e)
						continue
					}
				}
				o.remove(old)
			}
			o.dump() // checks the blocks
			a, b := small.Draw(t, "rank a"), small.Draw(t, "rank b")
			rank := o.rank(a, b)
			if first := slices.IndexFunc(append(slices.Clone(want), entry{a: 99}), func(e entry) bool { return e.a > a || e.a == a && e.b >= b }); first != rank {
				t.Fatalf("the rank of %d, %d is %d, and should be %d", a, b, rank, first)
			}
			var got, some []entry
			to := o.upTo(a, b)
			o.walk(rank, max(rank, to), b, func(e *entry) bool { got = append(got, *e); return true })
			for _, e := range want {
				if e.a == a && e.b == b {
					some = append(some, e)
				}
			}
			if !slices.Equal(got, some) || o.size != len(want) {
				t.Fatalf("the order has %v with %d, %d, and should have %v", got, a, b, some)
			}
		}
	})
}
