package state

import (
	"cmp"
	"hash/maphash"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// placed finds the tasks that take resources of an instance. Placing is what happens most, and to instances anywhere: of a
// tree it would copy a leaf and more every time. So changes are noted in the order in which they come, and sorted and
// merged into runs once there are many, each run at least twice as large as the next. Copies share all of it.
type placed struct {
	seed maphash.Seed
	runs [][]place // sorted; what a later one says counts
	news []place   // as they came, later than all runs
}

// place says of the task with the key that it is on an instance, or no more.
type place struct {
	at  uint64 // hash of the instance's id, without the lowest bit: that says whether the task is gone
	key string
}

const gone = 1

// maxNews is how many changes every search has to look through.
const maxNews = 1024

func newPlaced() derived[model.Task] { return &placed{seed: maphash.MakeSeed()} }

func (p *placed) hash(instance string) uint64 { return maphash.String(p.seed, instance) &^ gone }

func (p *placed) apply(key string, old, new *model.Task) {
	was, is := old != nil && holds(old), new != nil && holds(new)
	if was && is && old.Instance == new.Instance {
		return
	}
	if was {
		p.note(place{p.hash(old.Instance) | gone, key})
	}
	if is {
		p.note(place{p.hash(new.Instance), key})
	}
}

// holds reports whether the task takes resources of an instance.
func holds(t *model.Task) bool { return t.Instance != "" && t.Last != model.TaskStopped }

func (p *placed) note(n place) {
	if p.news = append(p.news, n); len(p.news) < maxNews {
		return
	}
	run := latest(slices.Clone(p.news))
	below := p.runs
	for len(below) > 0 && len(below[len(below)-1]) < 2*len(run) {
		run = merge(below[len(below)-1], run)
		below = below[:len(below)-1]
	}
	if len(below) == 0 {
		run = slices.DeleteFunc(run, place.gone)
	}
	p.runs, p.news = append(slices.Clip(below), run), nil
}

// copy gives both copies room of their own for what comes next.
func (p *placed) copy() derived[model.Task] { return &placed{p.seed, p.runs, slices.Clip(p.news)} }

func (n place) gone() bool { return n.at&gone != 0 }

func (n place) compare(o place) int {
	if c := cmp.Compare(n.at&^gone, o.at&^gone); c != 0 {
		return c
	}
	return cmp.Compare(n.key, o.key)
}

// latest sorts what is said, and keeps what was said last of each task on an instance.
func latest(said []place) []place {
	slices.SortStableFunc(said, place.compare)
	kept := said[:0]
	for i, n := range said {
		if i+1 == len(said) || n.compare(said[i+1]) != 0 {
			kept = append(kept, n)
		}
	}
	return kept
}

// merge is latest of two runs, the second said later.
func merge(a, b []place) []place {
	out := make([]place, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch c := a[0].compare(b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c == 0:
			a = a[1:]
		default:
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// on returns the keys of the tasks on instances with the id, and perhaps of others, in order.
func (p *placed) on(instance string) []place {
	at := p.hash(instance)
	var said []place
	for _, run := range p.runs {
		from, _ := slices.BinarySearchFunc(run, place{at: at}, place.compare)
		to := from
		for to < len(run) && run[to].at&^gone == at {
			to++
		}
		said = append(said, run[from:to]...)
	}
	for _, n := range p.news {
		if n.at&^gone == at {
			said = append(said, n)
		}
	}
	return slices.DeleteFunc(latest(said), place.gone)
}
