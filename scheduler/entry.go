package scheduler

import "strings"

// entry is a node in an order, by two values and then by its hash, so that equal nodes have an order that their ids alone
// decide. The values are here, not with the node, because most entries are passed over for them; and the node's number instead of its
// address, because the collector has nothing to do with numbers that move.
type entry struct {
	a, b int64
	hash uint64
	node int
}

// nobody is the number of an entry that is looked for by its values alone, and comes before all that have them.
const nobody = -1

// roster is the nodes by their numbers; nil where a number is free.
type roster []*node

func (r roster) before(e, f *entry) bool {
	switch {
	case e.a != f.a:
		return e.a < f.a
	case e.b != f.b:
		return e.b < f.b
	case e.hash != f.hash:
		return e.hash < f.hash
	}
	return e.node != f.node && e.node != nobody && f.node != nobody && r[e.node].compare(r[f.node]) < 0
}

// compare orders nodes by id.
func (n *node) compare(m *node) int {
	if c := strings.Compare(n.key.id, m.key.id); c != 0 {
		return c
	}
	return strings.Compare(n.key.cluster, m.key.cluster)
}
