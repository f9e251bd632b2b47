package state

import (
	"cmp"
	"iter"
	"math"

	"github.com/tidwall/btree"

	"github.com/roadstead/roadstead/model"
)

// index finds rows by a value of theirs. It holds keys and not rows, so that a change that leaves the value as it is
// costs nothing here.
type index[R any] struct {
	value func(key string, r *R) (v string, rank int64, ok bool)
	found *btree.BTreeG[entry]
}

// entry stands for a row. Rows with the same value are in the order of rank and key.
type entry struct {
	value string
	rank  int64
	key   string
}

func (a entry) before(b entry) bool {
	return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.rank, b.rank), cmp.Compare(a.key, b.key)) < 0
}

func newIndex[R any](value func(key string, r *R) (v string, rank int64, ok bool)) derived[R] {
	return &index[R]{value, btree.NewBTreeGOptions(entry.before, btree.Options{Degree: indexDegree, NoLocks: true})}
}

func (x *index[R]) apply(key string, old, new *R) {
	was, out := x.entry(key, old)
	is, in := x.entry(key, new)
	if in == out && is == was {
		return
	}
	if out {
		x.found.Delete(was)
	}
	if in {
		x.found.Set(is)
	}
}

func (x *index[R]) entry(key string, r *R) (e entry, ok bool) {
	if r == nil {
		return entry{}, false
	}
	if e.value, e.rank, ok = x.value(key, r); !ok {
		return entry{}, false
	}
	e.key = key
	return e, true
}

func (x *index[R]) copy() derived[R] { return &index[R]{x.value, x.found.Copy()} }

// lookup yields the rows with the value in the table's n-th index.
func lookup[R any](t *Table[R], n int, value string) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		t.derived[n].(*index[R]).found.Ascend(entry{value: value, rank: math.MinInt64}, func(e entry) bool {
			if e.value != value {
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
