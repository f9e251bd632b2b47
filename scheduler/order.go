package scheduler

import (
	"math"
	"slices"
	"strings"
)

// entry is a node in an order, by two values and then by its hash, so that equal nodes have an order that their ids alone
// decide. The values are here, not behind the pointer, because most entries are passed over for them.
type entry struct {
	a, b int64
	hash uint64
	node *node
}

func (e *entry) before(f *entry) bool {
	switch {
	case e.a != f.a:
		return e.a < f.a
	case e.b != f.b:
		return e.b < f.b
	case e.hash != f.hash:
		return e.hash < f.hash
	}
	return e.node != f.node && e.node != nil && f.node != nil && e.node.compare(f.node) < 0
}

// order is a sorted list of entries in blocks: an insertion moves a few hundred bytes, and a search passes over whole
// blocks by their greatest b.
type order struct {
	blocks []block
	size   int
	spare  []entry // the memory of a block that is gone, for the next one
}

type block struct {
	last    entry // a copy of the last one, so that a search need not look into the block
	most    int64 // the greatest b
	start   int   // how many entries are in the blocks before
	entries []entry
}

const blockSize = 64

// find returns where the entry is, or would be: a block, and a place in it.
func (o *order) find(e *entry) (int, int) {
	lo, hi := 0, len(o.blocks)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); o.blocks[mid].last.before(e) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(o.blocks) {
		return lo, 0
	}
	in := o.blocks[lo].entries
	at, end := 0, len(in)
	for at < end {
		if mid := int(uint(at+end) >> 1); in[mid].before(e) {
			at = mid + 1
		} else {
			end = mid
		}
	}
	return lo, at
}

func (o *order) insert(e entry) {
	i, at := o.find(&e)
	if i == len(o.blocks) {
		if i == 0 {
			o.blocks = append(o.blocks, block{most: math.MinInt64})
		} else {
			i--
		}
		at = len(o.blocks[i].entries)
	}
	b := &o.blocks[i]
	if len(b.entries) == blockSize {
		o.split(i)
		if half := len(o.blocks[i].entries); at > half {
			i, at = i+1, at-half
		}
		b = &o.blocks[i]
	}
	b.entries = slices.Insert(b.entries, at, e)
	b.last, b.most = b.entries[len(b.entries)-1], max(b.most, e.b)
	o.shift(i+1, +1)
}

func (o *order) remove(e entry) {
	i, at := o.find(&e)
	if i == len(o.blocks) || o.blocks[i].entries[at].node != e.node {
		panic("scheduler: an order does not have what is removed from it")
	}
	b := &o.blocks[i]
	b.entries = slices.Delete(b.entries, at, at+1)
	o.shift(i+1, -1)
	switch {
	case len(b.entries) == 0:
		o.spare = b.entries
		o.blocks = slices.Delete(o.blocks, i, i+1)
	case len(b.entries) < blockSize/4 && i+1 < len(o.blocks) && len(o.blocks[i+1].entries) < blockSize/2:
		b.entries = append(b.entries, o.blocks[i+1].entries...)
		clear(o.blocks[i+1].entries)
		o.spare = o.blocks[i+1].entries[:0]
		o.blocks = slices.Delete(o.blocks, i+1, i+2)
		o.blocks[i].measure()
	case e.b == b.most || at == len(b.entries):
		b.measure()
	}
}

// shift counts the entries before the blocks from i on, after n were added before them.
func (o *order) shift(i, n int) {
	o.size += n
	for ; i < len(o.blocks); i++ {
		o.blocks[i].start += n
	}
}

// split makes two half blocks of a full one.
func (o *order) split(i int) {
	const half = blockSize / 2
	rest := o.spare
	if o.spare = nil; cap(rest) < blockSize {
		rest = make([]entry, 0, blockSize)
	}
	rest = append(rest, o.blocks[i].entries[half:]...)
	o.blocks = slices.Insert(o.blocks, i+1, block{start: o.blocks[i].start + half, entries: rest})
	clear(o.blocks[i].entries[half:])
	o.blocks[i].entries = o.blocks[i].entries[:half]
	o.blocks[i].measure()
	o.blocks[i+1].measure()
}

func (b *block) measure() {
	b.most = math.MinInt64
	for i := range b.entries {
		b.most = max(b.most, b.entries[i].b)
	}
	b.last = b.entries[len(b.entries)-1]
}

// rank is how many entries come before all with a and b at least these.
func (o *order) rank(a, b int64) int {
	if o.size == 0 {
		return 0
	}
	e := entry{a: a, b: b}
	if first := &o.blocks[0].entries[0]; !first.before(&e) {
		return 0
	}
	i, at := o.find(&e)
	if i == len(o.blocks) {
		return o.size
	}
	return o.blocks[i].start + at
}

// at returns the entry of a rank.
func (o *order) at(rank int) *entry {
	b := &o.blocks[o.blockOf(rank)]
	return &b.entries[rank-b.start]
}

func (o *order) blockOf(rank int) int {
	lo, hi := 0, len(o.blocks)-1
	for lo < hi {
		if mid := int(uint(lo+hi+1) >> 1); o.blocks[mid].start <= rank {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// walk yields the entries of the ranks in order, passing over those with b less than least; it reports whether all were
// yielded.
func (o *order) walk(from, to int, least int64, yield func(*entry) bool) bool {
	if from >= to {
		return true
	}
	for i := o.blockOf(from); i < len(o.blocks) && o.blocks[i].start < to; i++ {
		b := &o.blocks[i]
		if b.most < least {
			continue
		}
		in := b.entries[max(0, from-b.start):min(len(b.entries), to-b.start)]
		for j := range in {
			if in[j].b >= least && !yield(&in[j]) {
				return false
			}
		}
	}
	return true
}

// compare orders nodes by id.
func (n *node) compare(m *node) int {
	if c := strings.Compare(n.key.id, m.key.id); c != 0 {
		return c
	}
	return strings.Compare(n.key.cluster, m.key.cluster)
}
