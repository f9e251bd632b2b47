package state

import (
	"hash/maphash"
	"iter"
	"math"

	"github.com/tidwall/btree"

	"github.com/roadstead/roadstead/model"
)

// index finds rows by a value of theirs. It holds keys and not rows, so that a change that leaves the value as it is
// costs nothing here, and numbers in place of values, so that searching it looks at little memory.
type index[R any] struct {
	value func(key string, r *R) (v string, rank int64, ok bool)
	seed  maphash.Seed
	found *btree.BTreeG[entry]
}

// entry stands for a row. Rows with the same value are in the order of rank and key.
type entry struct {
	value uint64 // its hash: other values may have the same
	rank  int64
	key   string
}

func (a entry) before(b entry) bool {
	switch {
	case a.value != b.value:
		return a.value < b.value
	case a.rank != b.rank:
		return a.rank < b.rank
	}
	return a.key < b.key
}

func newIndex[R any](value func(key string, r *R) (v string, rank int64, ok bool)) derived[R] {
	return &index[R]{value, maphash.MakeSeed(), btree.NewBTreeGOptions(entry.before, btree.Options{Degree: indexDegree, NoLocks: true})}
}

func (x *index[R]) apply(key string, old, new *R) {
	var was, is string
	var from, to int64
	var out, in bool
	if old != nil {
		was, from, out = x.value(key, old)
	}
	if new != nil {
		is, to, in = x.value(key, new)
	}
	if in && out && is == was && from == to {
		return
	}
	if out {
		x.found.Delete(entry{maphash.String(x.seed, was), from, key})
	}
	if in {
		x.found.Set(entry{maphash.String(x.seed, is), to, key})
	}
}

func (x *index[R]) copy() derived[R] { return &index[R]{x.value, x.seed, x.found.Copy()} }

// lookup yields the rows with the value in the table's n-th index, and perhaps others.
func lookup[R any](t *Table[R], n int, value string) iter.Seq[*R] {
	x := t.derived[n].(*index[R])
	from := entry{value: maphash.String(x.seed, value), rank: math.MinInt64}
	return func(yield func(*R) bool) {
		x.found.Ascend(from, func(e entry) bool {
			if e.value != from.value {
				return false
			}
			r, _ := t.rows.Get(e.key)
			return yield(r)
		})
	}
}

// clusterCounts has the counts of clusters that have any.
type clusterCounts struct {
	by *btree.Map[string, ClusterCount]
}

func newClusterCounts() derived[model.Task] {
	return &clusterCounts{btree.NewMap[string, ClusterCount](4)} // few clusters, and large entries
}

func (c *clusterCounts) of(cluster string) ClusterCount {
	n, _ := c.by.Get(cluster)
	return n
}

func (c *clusterCounts) apply(key string, old, new *model.Task) {
	cluster := clusterOf(key)
	before := c.of(cluster)
	n := before
	if old != nil {
		n.add(old, -1)
	}
	if new != nil {
		n.add(new, +1)
	}
	switch n {
	case before:
	case ClusterCount{}:
		c.by.Delete(cluster)
	default:
		c.by.Set(cluster, n)
	}
}

func (c *clusterCounts) copy() derived[model.Task] { return &clusterCounts{c.by.Copy()} }

// add counts the task in, or out if sign is -1.
func (c *ClusterCount) add(t *model.Task, sign int) {
	running, pending := &c.RunningEC2, &c.PendingEC2
	switch t.LaunchType {
	case "FARGATE":
		running, pending = &c.RunningFargate, &c.PendingFargate
	case "EXTERNAL":
		running, pending = &c.RunningExternal, &c.PendingExternal
	}
	switch t.Last {
	case model.TaskRunning:
		*running += sign
	case model.TaskProvisioning, model.TaskPending, model.TaskActivating:
		*pending += sign
	}
	if t.Waiting() {
		c.Waiting += sign
	}
}
