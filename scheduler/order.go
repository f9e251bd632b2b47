package scheduler

import (
	"math"
	"math/bits"
	"slices"
)

// order is a sorted list of entries in blocks: an insertion moves a few hundred bytes, and a search passes over whole
// blocks by their greatest b. What a search for a place looks at is beside the blocks, where it is together.
type order struct {
	nodes  *roster
	blocks []block
	lasts  []entry // a copy of each block's last one
	starts []int   // how many entries are in the blocks before
	size   int
	spare  []entry // the memory of a block that is gone, for the next one
}

type block struct {
	most    int64 // the greatest b
	having  int   // how many entries have it
	entries []entry
}

const blockSize = 64

// find returns where the entry is, or would be: a block, and a place in it.
func (o *order) find(e *entry) (int, int) {
	lo := o.lowerBound(o.lasts, e)
	if lo == len(o.lasts) {
		return lo, 0
	}
	return lo, o.lowerBound(o.blocks[lo].entries, e)
}

// lowerBound is the place of the first entry that is not before e. It decides without branches, which would be guessed wrong every other
// time: as numbers of 192 bits, an entry is less if taking the other one from it borrows.
func (o *order) lowerBound(in []entry, e *entry) int {
	if len(in) == 0 {
		return 0
	}
	const sign = 1 << 63
	a, b := uint64(e.a)^sign, uint64(e.b)^sign
	at := 0
	for n := len(in); n > 0; {
		half := (n + 1) / 2
		f := &in[at+half-1]
		_, less := bits.Sub64(f.hash, e.hash, 0)
		_, less = bits.Sub64(uint64(f.b)^sign, b, less)
		_, less = bits.Sub64(uint64(f.a)^sign, a, less)
		at += half & -int(less)
		n -= half
	}
	for at < len(in) && o.nodes.before(&in[at], e) { // hashes that are equal are rare
		at++
	}
	return at
}

func (o *order) insert(e entry) {
	i, at := o.find(&e)
	if i == len(o.blocks) {
		if i == 0 {
			o.blocks, o.lasts, o.starts = append(o.blocks, block{most: math.MinInt64}), append(o.lasts, e), append(o.starts, 0)
		} else {
			i--
		}
		at = len(o.blocks[i].entries)
	}
	if len(o.blocks[i].entries) == blockSize {
		o.split(i)
		if half := len(o.blocks[i].entries); at > half {
			i, at = i+1, at-half
		}
	}
	o.put(i, at, e)
	o.size++
	o.shift(i+1, len(o.blocks), +1)
}

func (o *order) remove(e entry) {
	i, at := o.findExact(&e)
	o.shift(i+1, len(o.blocks), -1)
	o.size--
	switch size := len(o.blocks[i].entries) - 1; {
	case size == 0:
		o.drop(i)
	case o.sparse(i, size):
		next := o.blocks[i+1].entries
		o.blocks[i].entries = append(slices.Delete(o.blocks[i].entries, at, at+1), next...)
		o.measure(i)
		o.drop(i + 1)
	default:
		o.cut(i, at)
	}
}

// move is remove of one entry and insert of another, which is cheaper together: what is between is all that changes.
func (o *order) move(e, f entry) {
	i, at := o.findExact(&e)
	j, to := o.find(&f)
	if j == len(o.blocks) {
		j, to = j-1, len(o.blocks[j-1].entries)
	}
	size := len(o.blocks[i].entries) - 1
	switch {
	case i == j:
		o.turn(i, at, to, f)
	case size == 0 || o.sparse(i, size) || len(o.blocks[j].entries) == blockSize:
		o.remove(e)
		o.insert(f)
	default:
		o.cut(i, at)
		o.put(j, to, f)
		o.shift(i+1, j+1, -1)
		o.shift(j+1, i+1, +1)
	}
}

// turn has f in a block instead of the entry at a place, at what was its own place when that was still there.
func (o *order) turn(i, at, to int, f entry) {
	b := &o.blocks[i]
	gone := b.entries[at].b
	if to > at {
		to--
		copy(b.entries[at:to], b.entries[at+1:to+1])
	} else {
		copy(b.entries[to+1:at+1], b.entries[to:at])
	}
	b.entries[to] = f
	o.lasts[i] = b.entries[len(b.entries)-1]
	b.gain(f.b)
	if b.lose(gone) {
		o.measure(i)
	}
}

// put adds an entry to a block that has room, and cut takes one from a block that has others.
func (o *order) put(i, at int, e entry) {
	b := &o.blocks[i]
	b.entries = slices.Insert(b.entries, at, e)
	o.lasts[i] = b.entries[len(b.entries)-1]
	b.gain(e.b)
}

func (o *order) cut(i, at int) {
	b := &o.blocks[i]
	gone := b.entries[at].b
	b.entries = slices.Delete(b.entries, at, at+1)
	o.lasts[i] = b.entries[len(b.entries)-1]
	if b.lose(gone) {
		o.measure(i)
	}
}

// gain and lose keep the greatest b in step; lose reports whether it is to be looked for.
func (b *block) gain(v int64) {
	switch {
	case v > b.most:
		b.most, b.having = v, 1
	case v == b.most:
		b.having++
	}
}

func (b *block) lose(v int64) bool {
	if v == b.most {
		b.having--
	}
	return b.having == 0
}

func (o *order) findExact(e *entry) (int, int) {
	i, at := o.find(e)
	if i == len(o.blocks) || o.blocks[i].entries[at].node != e.node {
		panic("scheduler: an order does not have what is removed from it")
	}
	return i, at
}

// sparse reports whether a block of the size had better be one with the next.
func (o *order) sparse(i, size int) bool {
	return size < blockSize/4 && i+1 < len(o.blocks) && len(o.blocks[i+1].entries) < blockSize/2
}

// shift counts the entries before some blocks, after n were added before them.
func (o *order) shift(from, to, n int) {
	for i := from; i < to; i++ {
		o.starts[i] += n
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
	o.blocks[i].entries = o.blocks[i].entries[:half]
	o.blocks = slices.Insert(o.blocks, i+1, block{entries: rest})
	o.lasts = slices.Insert(o.lasts, i+1, entry{})
	o.starts = slices.Insert(o.starts, i+1, o.starts[i]+half)
	o.measure(i)
	o.measure(i + 1)
}

// drop removes a block whose entries are gone.
func (o *order) drop(i int) {
	o.spare = o.blocks[i].entries[:0]
	o.blocks, o.lasts, o.starts = slices.Delete(o.blocks, i, i+1), slices.Delete(o.lasts, i, i+1), slices.Delete(o.starts, i, i+1)
}

// measure looks at all of a block.
func (o *order) measure(i int) {
	b := &o.blocks[i]
	b.most, b.having = math.MinInt64, 0
	for k := range b.entries {
		b.gain(b.entries[k].b)
	}
	o.lasts[i] = b.entries[len(b.entries)-1]
}

// rank is how many entries come before all with a and b at least these.
func (o *order) rank(a, b int64) int {
	if o.size == 0 {
		return 0
	}
	e := entry{a: a, b: b, node: nobody}
	if first := &o.blocks[0].entries[0]; !o.nodes.before(first, &e) {
		return 0
	}
	i, at := o.find(&e)
	if i == len(o.blocks) {
		return o.size
	}
	return o.starts[i] + at
}

// at returns the entry of a rank.
func (o *order) at(rank int) *entry {
	i := o.blockOf(rank)
	return &o.blocks[i].entries[rank-o.starts[i]]
}

func (o *order) blockOf(rank int) int {
	lo, hi := 0, len(o.blocks)-1
	for lo < hi {
		if mid := int(uint(lo+hi+1) >> 1); o.starts[mid] <= rank {
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
	for i := o.blockOf(from); i < len(o.blocks) && o.starts[i] < to; i++ {
		b, start := &o.blocks[i], o.starts[i]
		if b.most < least {
			continue
		}
		in := b.entries[max(0, from-start):min(len(b.entries), to-start)]
		for j := range in {
			if in[j].b >= least && !yield(&in[j]) {
				return false
			}
		}
	}
	return true
}
