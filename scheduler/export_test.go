package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Dump returns all that the index knows, in an order of its own: two indices that know the same have the same dump. It
// panics if the index contradicts itself.
func (x *Index) Dump() string {
	x.settle()
	var b strings.Builder
	numbers := slices.Clone(x.numbers)
	for _, n := range x.nodes {
		numbers = append(numbers, n.number)
		for _, g := range x.groups {
			if g.has(n.number) != (n.tasksOf(g) > 0) {
				panic("a group's members are wrong")
			}
		}
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if i != n {
			panic("a number is given twice, or lost")
		}
	}
	for _, key := range sorted(x.nodes) {
		x.nodes[key].dump(&b)
	}
	for _, key := range sorted(x.domains) {
		d := x.domains[key]
		fmt.Fprintf(&b, "domain %v loose", key)
		for _, name := range slices.Sorted(maps.Keys(d.traits)) {
			if d.loose(name) {
				fmt.Fprintf(&b, " %q", name)
			}
		}
		for at, c := range d.classes {
			if c.at != at || d.of[c.signature] != c || c.size() == 0 {
				panic("a class is not where it should be")
			}
			fmt.Fprintf(&b, "\n class %q without GPU %d, ENI %d, ports %v\n  %s\n  %s", c.signature, c.noGPU, c.noENI, c.ports, c.byCPU.dump(), c.byMemory.dump())
		}
		b.WriteByte('\n')
	}
	for _, key := range sorted(x.groups) {
		g := x.groups[key]
		var tallies []string
		for _, t := range g.tallies {
			if t.absent != nil {
				t.check()
			}
			tallies = append(tallies, fmt.Sprintf("%q nodes %d tasks %d", t.class.signature, t.nodes, t.tasks))
		}
		slices.Sort(tallies)
		fmt.Fprintf(&b, "group %v tasks %d %s %v\n", key, g.tasks, g.nodes.dump(), tallies)
	}
	return b.String()
}

func (t *tally) check() {
	var have, want []string
	for n := range t.class.nodes() {
		if !slices.ContainsFunc(n.groups, func(h hosted) bool {
			return slices.ContainsFunc(h.group.tallies, func(o tally) bool { return o.absent == t.absent })
		}) {
			want = append(want, n.key.id)
		}
	}
	t.absent.dump()
	t.absent.walk(0, t.absent.size, minimum, func(e *entry) bool { have = append(have, (*t.absent.nodes)[e.node].key.id); return true })
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		panic(fmt.Sprintf("absent are %v, and should be %v", have, want))
	}
}

func sorted[K comparable, V any](m map[K]V) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

func (n *node) dump(b *strings.Builder) {
	var homes, groups []string
	for _, c := range n.homes {
		homes = append(homes, c.signature)
	}
	for _, h := range n.groups {
		groups = append(groups, fmt.Sprint(h.group.name, "=", h.tasks))
	}
	families := slices.Clone(n.families)
	slices.SortFunc(families, func(a, b counted) int { return strings.Compare(a.family, b.family) })
	gpus, ports, held := slices.Sorted(slices.Values(n.gpus)), slices.Sorted(slices.Values(n.ports)), []string{}
	for _, a := range n.addresses.held {
		held = append(held, a.String())
	}
	for _, s := range [][]string{homes, groups, held} {
		slices.Sort(s)
	}
	fmt.Fprintf(b, "node %v known %v free %d %d %d gpus %v ports %v addresses %v %v groups %v families %v running %d homes %q", n.key, n.instance != nil,
		n.cpu, n.memory, n.enis, gpus, ports, held, n.addresses.offsets, groups, families, n.running, homes)
	b.WriteByte('\n')
}

func (o *order) dump() string {
	var b strings.Builder
	n, last := 0, (*entry)(nil)
	if len(o.lasts) != len(o.blocks) || len(o.starts) != len(o.blocks) {
		panic("an order's blocks are not all known")
	}
	for i := range o.blocks {
		bl := &o.blocks[i]
		if len(bl.entries) == 0 || len(bl.entries) > blockSize || o.starts[i] != n || o.lasts[i] != bl.entries[len(bl.entries)-1] {
			panic(fmt.Sprintf("block %d of %d is wrong", i, len(o.blocks)))
		}
		most, having := bl.entries[0].b, 0
		for j := range bl.entries {
			e := &bl.entries[j]
			if last != nil && !o.nodes.before(last, e) || o.at(n) != e {
				panic("an order is none")
			}
			last, most = e, max(most, e.b)
			fmt.Fprintf(&b, " %s:%d:%d", (*o.nodes)[e.node].key.id, e.a, e.b)
			n++
		}
		for j := range bl.entries {
			having += one(bl.entries[j].b == most)
		}
		if most != bl.most || having != bl.having {
			panic("a block's greatest b is wrong")
		}
	}
	if n != o.size {
		panic("an order's size is wrong")
	}
	return b.String()
}
