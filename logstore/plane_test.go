package logstore_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/logstore"
)

// plane is three members of which one leads, as the control plane has them lead: with the promises of a majority, and all that these have.
type plane struct {
	t       rapid.TB
	members [3]*copier
	leader  int // -1 for none
	epoch   uint64
	acked   map[string]int64 // events, with their times
	streams map[string]bool  // that were acknowledged
	limbo   map[string]bool  // streams whose last change was not acknowledged
	shut    bool             // data keys with odd numbers cannot be opened
	keys    byte             // that were made
	made    *logstore.Key    // the last one
}

func (p *plane) open(wrapped []byte) ([]byte, error) {
	if p.shut && wrapped[0]%2 == 1 {
		return nil, errors.New("the key is disabled")
	}
	return bytes.Repeat(wrapped, 32), nil
}

// excused says whether something failed for a reason that the test has made.
func (p *plane) excused(err error) bool {
	if err != nil && !errors.Is(err, errDisk) && !errors.Is(err, logstore.ErrShut) {
		p.t.Fatal(err)
	}
	return err != nil
}

func (p *plane) up() (found []int) {
	for i, m := range p.members {
		if m.store != nil {
			found = append(found, i)
		}
	}
	return found
}

// lead has a member take over, if a majority is there.
func (p *plane) lead(i int, others []int) {
	p.leader = -1
	if p.members[i].store == nil || len(others) == 0 {
		return
	}
	p.epoch++
	if p.excused(p.members[i].store.Promise(p.epoch)) {
		return
	}
	for _, o := range others {
		if p.excused(p.members[o].store.Promise(p.epoch)) {
			return
		}
		if from, to := p.members[o].group(), p.members[i].group(); from.Arrived() > to.Arrived() && p.excused(carry(p.epoch, from, to)) {
			return
		}
	}
	must(p.t, p.members[i].store.Lead(p.epoch))
	p.leader = i
	p.check()
}

// copy brings what the leader has to some members, and says whether a majority has it.
func (p *plane) copy(to []int) bool {
	held := 1
	for _, o := range to {
		if o == p.leader || p.members[o].store == nil || p.members[o].store.Epoch() != p.epoch {
			continue
		}
		if !p.excused(carry(p.epoch, p.members[p.leader].group(), p.members[o].group())) {
			held++
		}
	}
	return held >= 2
}

// check: what was acknowledged is there, once, and what is gone is not.
func (p *plane) check() {
	defer func(shut bool) { p.shut = shut }(p.shut)
	p.shut = false
	g := p.members[p.leader].group()
	seen := map[string]int{}
	for e, err := range g.Events(logstore.Query{}) {
		if err != nil {
			p.t.Fatal(err)
		}
		seen[e.Stream+" "+e.Message]++
	}
	for name, n := range seen {
		if n > 1 {
			p.t.Fatalf("%s is there %d times", name, n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.acked)) {
		if stream, _, _ := strings.Cut(name, " "); seen[name] == 0 && !p.limbo[stream] {
			p.t.Fatalf("%s was acknowledged and is not there: epoch %d, leader %d", name, p.epoch, p.leader)
		}
	}
	for name, alive := range p.streams {
		if _, ok := g.Stream(name); ok != alive && !p.limbo[name] {
			p.t.Fatalf("stream %s: there %v, acknowledged %v", name, ok, alive)
		}
	}
	var order []uint64
	for e := range g.Arrivals(0, nil) {
		order = append(order, e.Seq)
	}
	if !slices.IsSortedFunc(order, cmp.Compare[uint64]) {
		p.t.Fatalf("arrivals come in another order: %v", order)
	}
}

// settle: what the leader has of streams is so, now that it has acknowledged something.
func (p *plane) settle(g *logstore.Group) {
	clear(p.limbo)
	for _, name := range []string{"a", "b"} {
		_, p.streams[name] = g.Stream(name)
	}
}

// key is nil, or a data key that the leader has made.
func (p *plane) key(rt *rapid.T) *logstore.Key {
	switch rapid.SampledFrom([]string{"none", "same", "next"}).Draw(rt, "key") {
	case "none":
		return nil
	case "next":
		p.keys++
		p.made = testKey(p.t, p.keys)
	}
	return p.made
}

// Whoever leads has everything that was acknowledged, whatever happens to the others and to those who led before: machines die and come
// back, copies are late, changes are not acknowledged.
func TestCopiesLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		root := t.TempDir()
		p := &plane{t: rt, leader: -1, acked: map[string]int64{}, streams: map[string]bool{}, limbo: map[string]bool{}}
		segment := rapid.SampledFrom([]int64{1, 200, 600}).Draw(rt, "segment")
		for i := range p.members {
			p.members[i] = &copier{t: rt, segment: segment, dir: fmt.Sprintf("%s/%d-%d", root, i, rapid.Uint64().Draw(rt, "dir")), open: p.open}
			p.members[i].start()
		}
		p.lead(0, []int{1, 2})
		some := func(label string) []int {
			return slices.DeleteFunc(p.up(), func(int) bool { return !rapid.Bool().Draw(rt, label) })
		}
		n := int64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"lead": func(rt *rapid.T) {
				i := rapid.IntRange(0, 2).Draw(rt, "leader")
				p.lead(i, slices.DeleteFunc(some("promises"), func(o int) bool { return o == i }))
			},
			"die": func(rt *rapid.T) {
				if i := rapid.IntRange(0, 2).Draw(rt, "member"); p.members[i].store != nil {
					p.members[i].stop()
					if p.leader == i {
						p.leader = -1
					}
				}
			},
			"come back": func(rt *rapid.T) {
				if i := rapid.IntRange(0, 2).Draw(rt, "member"); p.members[i].store == nil {
					p.members[i].start()
				}
			},
			"stream": func(rt *rapid.T) {
				if p.leader < 0 {
					rt.Skip()
				}
				name := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "stream")
				g := p.members[p.leader].group()
				_, exists := g.Stream(name)
				var err error
				if exists {
					err = g.DeleteStream(name)
				} else {
					n++
					err = g.CreateStream(name, n)
				}
				failed := p.excused(err)
				for event := range p.acked {
					if strings.HasPrefix(event, name+" ") {
						delete(p.acked, event)
					}
				}
				if p.limbo[name] = true; p.copy(some("copies")) && !failed {
					p.settle(g)
				}
			},
			"write": func(rt *rapid.T) {
				if p.leader < 0 {
					rt.Skip()
				}
				name := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "stream")
				g := p.members[p.leader].group()
				if _, ok := g.Stream(name); !ok {
					rt.Skip()
				}
				var wrote []string
				for range rapid.IntRange(1, 6).Draw(rt, "appends") {
					n++
					line := fmt.Sprintf("line%d %s", n, strings.Repeat("x", int(n%7)*20))
					events := []logstore.Event{{Time: n, Message: line}, {Time: n, Message: "and " + line}}
					if !p.excused(g.AppendLocked(name, events, n/8, p.key(rt))) {
						wrote = append(wrote, name+" "+line, name+" and "+line)
					}
				}
				if p.copy(some("copies")) {
					p.settle(g)
					for _, line := range wrote {
						p.acked[line] = n
					}
				}
			},
			"fail": func(rt *rapid.T) {
				p.members[rapid.IntRange(0, 2).Draw(rt, "member")].fails = rapid.IntRange(1, 4).Draw(rt, "after")
			},
			"shut": func(*rapid.T) { p.shut = !p.shut },
			"": func(*rapid.T) {
				if p.leader >= 0 {
					p.check()
				}
			},
		})
		for _, m := range p.members {
			if m.store != nil {
				m.stop()
			}
		}
	})
}
