package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	_ "testing/synctest" // time.Sleep here is a bubble's
	"time"
)

// event is one line of a script.
type event struct {
	at   time.Duration
	text string
	do   func(w *world)
}

// script is what happens, in order of time.
type script []event

func (s script) String() string {
	var out strings.Builder
	for _, e := range s {
		fmt.Fprintf(&out, "  %02d:%06.3f %s\n", int(e.at.Minutes()), e.at.Seconds()-60*float64(int(e.at.Minutes())), e.text)
	}
	return out.String()
}

// play lets everything happen at its time.
func (s script) play(w *world) {
	began := time.Now()
	for _, e := range s {
		time.Sleep(e.at - time.Since(began))
		e.do(w)
	}
}

// writer draws a script.
type writer struct {
	rng    *rand.Rand
	nodes  int
	length time.Duration
	out    script
}

// newScript draws so many troubles, and as many storms, for so many nodes. The same arguments give the same script.
func newScript(seed uint64, nodes int, length time.Duration, troubles int) script {
	w := &writer{rng: rand.New(rand.NewPCG(seed, 7)), nodes: nodes, length: length}
	kinds := []func(at time.Duration){
		w.killAgents, w.powerFails, w.wipes, w.cutNodes, w.muteNodes, w.fullDisks, w.drains, w.deregisters,
		w.depose, w.depose, w.restart, w.cutMember, w.faults, w.slowDisk,
	}
	for range troubles {
		w.storm(w.when())
		if w.rng.IntN(2) == 0 {
			w.service(w.when() / 2)
		}
		if w.rng.IntN(3) == 0 {
			w.stops(w.when())
		}
		kinds[w.rng.IntN(len(kinds))](w.when())
	}
	slices.SortStableFunc(w.out, func(a, b event) int { return int(a.at - b.at) })
	return w.out
}

func (w *writer) when() time.Duration { return time.Duration(w.rng.Int64N(int64(w.length))) }

// lasts is how long a trouble lasts: mostly seconds, sometimes longer than an agent's grace or an agent's patience.
func (w *writer) lasts() time.Duration {
	d := time.Duration(w.rng.Int64N(int64(20*time.Second))) + time.Millisecond
	if w.rng.IntN(4) == 0 {
		d *= 15
	}
	return d
}

func (w *writer) add(at time.Duration, do func(*world), format string, args ...any) {
	w.out = append(w.out, event{at, fmt.Sprintf(format, args...), do})
}

// some draws nodes: one, a few, or a third of them.
func (w *writer) some() []int {
	n := []int{1, 1, 1 + w.nodes/20, 1 + w.nodes/3}[w.rng.IntN(4)]
	return w.rng.Perm(w.nodes)[:min(n, w.nodes)]
}

func names(nodes []int) string {
	out := fmt.Sprintf("%d nodes", len(nodes))
	for i, n := range nodes {
		if i == 8 {
			return out + " ..."
		}
		out += fmt.Sprintf(" n%04d", n+1)
	}
	return out
}

// each does something to every node.
func each(nodes []int, do func(w *world, n *node)) func(*world) {
	return func(w *world) {
		for _, i := range nodes {
			do(w, w.nodes[i])
		}
	}
}

func (w *writer) storm(at time.Duration) {
	calls, how := 1+w.rng.IntN(1+min(w.nodes/6, 200)), placings()[w.rng.IntN(len(placings()))]
	o := order{family: families()[w.rng.IntN(len(families()))], count: 1 + w.rng.IntN(10), group: fmt.Sprint("g", 1+w.rng.IntN(4)), how: how}
	through, tokens, seed := w.rng.IntN(3), w.rng.IntN(2) == 0, w.rng.Uint32()
	w.add(at, func(w *world) {
		for i := range calls {
			o := o
			if tokens {
				o.token = fmt.Sprintf("storm-%08x-%d", seed, i)
			}
			w.calls.Go(func() { w.callers[(through+i)%3].run(o) })
		}
	}, "%d x RunTask %s count %d of group %s, %s, tokens %t", calls, o.family, o.count, o.group, how.name, tokens)
}

func (w *writer) stops(at time.Duration) {
	n, seed := 1+w.rng.IntN(1+w.nodes), w.rng.Uint64()
	w.add(at, func(w *world) {
		known, r := w.ledger.known(), rand.New(rand.NewPCG(seed, 1))
		for range min(n, len(known)) {
			arn := known[r.IntN(len(known))]
			w.calls.Go(func() { w.callers[len(arn)%3].stop(arn) })
		}
	}, "%d x StopTask", n)
}

func (w *writer) killAgents(at time.Duration) {
	nodes, d := w.some(), w.lasts()
	w.add(at, each(nodes, func(_ *world, n *node) { n.kill() }), "kill the agents of %s", names(nodes))
	w.add(at+d, each(nodes, func(w *world, n *node) { n.start(w.T) }), "start the agents of %s", names(nodes))
}

func (w *writer) powerFails(at time.Duration) {
	nodes, d := w.some(), w.lasts()
	w.add(at, each(nodes, func(_ *world, n *node) { n.kill(); n.PowerFail() }), "power fails at %s", names(nodes))
	w.add(at+d, each(nodes, func(w *world, n *node) { n.start(w.T) }), "power is back at %s", names(nodes))
}

func (w *writer) wipes(at time.Duration) {
	nodes, d := w.some()[:1], w.lasts()
	w.add(at, each(nodes, func(_ *world, n *node) { n.kill(); n.Wipe() }), "the disk is lost of %s", names(nodes))
	w.add(at+d, each(nodes, func(w *world, n *node) { n.start(w.T) }), "a new disk for %s", names(nodes))
}

func (w *writer) cutNodes(at time.Duration) {
	nodes, d := w.some(), w.lasts()
	w.add(at, each(nodes, func(w *world, n *node) { w.net.cut(n.Name()) }), "cut %s off", names(nodes))
	w.add(at+d, each(nodes, func(w *world, n *node) { w.net.mend(n.Name()) }), "mend %s", names(nodes))
}

func (w *writer) muteNodes(at time.Duration) {
	nodes, d := w.some(), w.lasts()
	w.add(at, each(nodes, func(_ *world, n *node) { n.Mute(true) }), "silence %s", names(nodes))
	w.add(at+d, each(nodes, func(_ *world, n *node) { n.Mute(false) }), "end the silence of %s", names(nodes))
}

func (w *writer) fullDisks(at time.Duration) {
	nodes, d := w.some(), w.lasts()
	w.add(at, each(nodes, func(_ *world, n *node) { n.Full(true) }), "disks are full at %s", names(nodes))
	w.add(at+d, each(nodes, func(_ *world, n *node) { n.Full(false) }), "space again at %s", names(nodes))
}

func (w *writer) drains(at time.Duration) {
	nodes, d := w.some(), w.lasts()
	set := func(status string) func(*world) {
		return each(nodes, func(w *world, n *node) {
			if arn := n.Instance(); arn != "" {
				w.calls.Go(func() { w.callers[0].state(arn, status) })
			}
		})
	}
	w.add(at, set("DRAINING"), "drain %s", names(nodes))
	w.add(at+d, set("ACTIVE"), "take %s back", names(nodes))
}

func (w *writer) deregisters(at time.Duration) {
	nodes, force := w.some()[:1], w.rng.IntN(2) == 0
	w.add(at, each(nodes, func(w *world, n *node) {
		if arn := n.Instance(); arn != "" {
			w.calls.Go(func() { _ = w.callers[1].deregister(arn, force) })
		}
	}), "deregister %s, force %t", names(nodes), force)
}

func (w *writer) depose(at time.Duration) {
	w.add(at, func(w *world) { w.store.Depose() }, "the leader loses its lease")
}

func (w *writer) restart(at time.Duration) {
	m, d := w.rng.IntN(3), w.lasts()
	w.add(at, func(w *world) { w.members[m].halt() }, "member m%d ends", m+1)
	w.add(at+d, func(w *world) { w.members[m].start() }, "member m%d starts", m+1)
}

func (w *writer) cutMember(at time.Duration) {
	m, d := w.rng.IntN(3), w.lasts()
	w.add(at, func(w *world) { w.net.cut(w.members[m].name) }, "cut member m%d off", m+1)
	w.add(at+d, func(w *world) { w.net.mend(w.members[m].name) }, "mend member m%d", m+1)
}

func (w *writer) faults(at time.Duration) {
	share, d := int64(10+w.rng.IntN(200)), w.lasts()
	w.add(at, func(w *world) { w.faults.Store(share) }, "%d of 1000 commits fail", share)
	w.add(at+d, func(w *world) { w.faults.Store(0) }, "commits succeed")
}

func (w *writer) slowDisk(at time.Duration) {
	d := w.lasts()
	w.add(at, func(w *world) { w.delay.Store(int64(500 * time.Millisecond)) }, "commits take up to 500 ms")
	w.add(at+d, func(w *world) { w.delay.Store(int64(2 * time.Millisecond)) }, "commits take up to 2 ms")
}
