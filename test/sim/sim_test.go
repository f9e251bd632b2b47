package sim_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/fleet"
)

//nolint:gochecknoglobals // flags of the test
var (
	oneSeed  = flag.Uint64("sim.seed", 0, "play the script of this seed only")
	seeds    = flag.Int("sim.seeds", 3, "play the scripts of so many seeds")
	agents   = flag.Int("sim.agents", 30, "simulated nodes")
	minutes  = flag.Int("sim.minutes", 10, "virtual minutes that a script lasts")
	troubles = flag.Int("sim.troubles", 20, "troubles in a script")
	verbose  = flag.Bool("sim.log", false, "show what the members and nodes log")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Whatever happens to nodes, network, members and disk: nothing is sold twice, nothing that was promised is lost, statuses only
// move forward, and when the troubles are over everything comes to its end.
func TestSimulation(t *testing.T) {
	from, to := uint64(1), uint64(*seeds)
	if *oneSeed != 0 {
		from, to = *oneSeed, *oneSeed
	}
	for seed := from; seed <= to; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	s := newScript(seed, *agents, time.Duration(*minutes)*time.Minute, *troubles)
	w := newWorld(t, seed, *agents)
	w.awaitNodes()
	s.play(w)
	w.heal()
	problems := w.settle()
	l, snap := w.ledger, w.leader().s.DB().Snapshot()
	t.Logf("seed %d: %d calls placed %d copies and left %d, %d stops; %d rows of tasks; revision %d; the members showed %d changes in %d revisions",
		seed, l.tally.calls, l.tally.placed, l.tally.unplaced, l.tally.stops, snap.Tasks.Len(), snap.Revision, l.tally.changes, l.tally.revisions)
	t.Logf("seed %d: %s", seed, w.wishes.sum(snap))
	w.end()
	if l.tally.placed == 0 || l.tally.changes < 3*l.tally.placed {
		t.Errorf("the script of seed %d does next to nothing", seed)
	}
	if problems = append(l.breaches, problems...); len(problems) > 0 {
		if l.dropped > 0 {
			problems = append(problems, fmt.Sprintf("and %d more", l.dropped))
		}
		t.Errorf("seed %d:\n  %s\nscript (go test ./test/sim -run TestSimulation -sim.seed %d -sim.agents %d -sim.minutes %d -sim.troubles %d):\n%slast revisions:\n%s",
			seed, strings.Join(problems, "\n  "), seed, *agents, *minutes, *troubles, s, l.history())
	}
}

// awaitNodes waits until every node is connected.
func (w *world) awaitNodes() {
	for range 600 {
		n := 0
		for i := range w.leader().s.DB().Snapshot().Instances.All() {
			if i.AgentConnected {
				n++
			}
		}
		if n == len(w.nodes) {
			return
		}
		time.Sleep(time.Second)
	}
	w.Fatal("the nodes do not all connect")
}

// heal ends all troubles.
func (w *world) heal() {
	w.faults.Store(0)
	w.delay.Store(int64(2 * time.Millisecond))
	for _, m := range w.members {
		w.net.mend(m.name)
		m.start()
	}
	for _, n := range w.nodes {
		w.net.mend(n.Name())
		n.Mute(false)
		n.Full(false)
		n.start(w.T)
	}
	w.calls.Wait()
}

// patience is how long everything may take to come to its end after the troubles; the longest life before RUNNING is two
// minutes, and an agent that was mute reports again within 30 s.
const patience = 20 * time.Minute

// settle waits until there is no problem left, and returns what is left after patience.
func (w *world) settle() (problems []string) {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Second) {
		if problems = w.problems(); len(problems) == 0 {
			return nil
		}
		if time.Since(began) > 3*time.Minute {
			w.forget()
		}
	}
	return problems[:min(len(problems), maxBreaches)]
}

// forget does what an operator would: it deregisters the instances that no node is any more, and stops what waits for room.
func (w *world) forget() {
	snap, room := w.leader().s.DB().Snapshot(), len(w.unsettled(w.leader().s.DB().Snapshot()))
	for t := range snap.Tasks.All() {
		if t.Service() != "" || t.Last == model.TaskStopped {
			continue
		}
		if t.Waiting() || room > 0 { // services come first
			w.callers[1].stop(t.ARN())
			room--
		}
	}
	live := w.live()
	for i := range w.leader().s.DB().Snapshot().Instances.All() {
		if i.Status != model.InstanceInactive && live[i.ARN()] == nil {
			if err := w.callers[0].deregister(i.ARN(), true); err != nil {
				w.ledger.breach("%v", err)
			}
		}
	}
}

// live are the nodes by their instances' ARNs.
func (w *world) live() map[string]*node {
	live := map[string]*node{}
	for _, n := range w.nodes {
		live[n.Instance()] = n
	}
	return live
}

// problems are what is not at its end: every task asked for is RUNNING where its node says so, or STOPPED with a reason; every node
// has what the rows say, and every member has the same rows.
func (w *world) problems() []string {
	snap := w.leader().s.DB().Snapshot()
	var out []string
	views := map[string]map[string]fleet.View{} // by instance key, by task ARN
	for _, n := range w.nodes {
		i, ok := instanceOf(snap, n.Instance())
		if !ok || i.Status == model.InstanceInactive || !i.AgentConnected {
			out = append(out, fmt.Sprintf("node %s is instance %q, which is not connected", n.Name(), n.Instance()))
			continue
		}
		views[i.Key()] = map[string]fleet.View{}
		for _, v := range n.Tasks() {
			views[i.Key()][v.Arn] = v
		}
	}
	for t := range snap.Tasks.All() {
		if t.Waiting() {
			out = append(out, fmt.Sprintf("task %s of %s waits for room", t.ID, t.Definition))
			continue
		}
		v, there := views[t.InstanceKey()][t.ARN()]
		delete(views[t.InstanceKey()], t.ARN())
		switch {
		case t.Last == model.TaskStopped && !there:
		case t.Last == model.TaskRunning && t.Desired == model.TaskRunning && there && v.Status == model.TaskRunning && !v.Told:
		default:
			out = append(out, fmt.Sprintf("task %s of %s is %s, desired %s, on %s; its node has it: %t, %s, told to stop: %t",
				t.ID, t.Definition, t.Last, t.Desired, t.Instance, there, v.Status, v.Told))
		}
	}
	for key, left := range views {
		for arn := range left {
			out = append(out, fmt.Sprintf("instance %s has %s, which is not there or not its own", key, arn))
		}
	}
	slices.Sort(out)
	if out = append(append(out, w.broken(snap)...), w.unsettled(snap)...); len(out) > 0 {
		return out
	}
	return w.differences(snap)
}

// broken are promises that the rows do not keep.
func (w *world) broken(snap *state.Snapshot) (out []string) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for arn, o := range w.ledger.started {
		t, ok := taskOf(snap, arn)
		if !ok {
			out = append(out, "RunTask answered "+arn+", which is not there")
			continue
		}
		if i, ok := snap.Instances.Get(t.InstanceKey()); ok && o.family != fargate && o.how.allowed != nil && !o.how.allowed(i) {
			out = append(out, fmt.Sprintf("task %s was to be placed %s, and is on %s in zone %s of pool %q", t.ID, o.how.name, i.ID, i.Zone(), i.Pool()))
		}
	}
	for arn := range w.ledger.ended {
		if t, ok := taskOf(snap, arn); !ok || t.Desired != model.TaskStopped {
			out = append(out, "StopTask answered "+arn+", which is not to be stopped")
		}
	}
	return out
}

// differences are rows that another member has otherwise.
func (w *world) differences(snap *state.Snapshot) (out []string) {
	for _, m := range w.members {
		other := m.s.DB().Snapshot()
		if other.Revision != snap.Revision {
			return []string{fmt.Sprintf("member %s is at revision %d, the leader at %d", m.name, other.Revision, snap.Revision)}
		}
		for t := range snap.Tasks.All() {
			if x, ok := other.Tasks.Get(t.Key()); !ok || x != t && !same(x, t) {
				out = append(out, fmt.Sprintf("member %s has task %s otherwise", m.name, t.ID))
			}
		}
		if other.Tasks.Len() != snap.Tasks.Len() || other.Instances.Len() != snap.Instances.Len() {
			out = append(out, fmt.Sprintf("member %s has other rows", m.name))
		}
	}
	return out
}

// same compares rows as they are stored: an empty list that was read back is none.
func same(a, b *model.Task) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func taskOf(s *state.Snapshot, arn string) (*model.Task, bool) {
	a, ok := model.ParseARN(arn)
	if !ok {
		return nil, false
	}
	return s.Tasks.Get(a.Scope.Key(a.Segments()...))
}

func instanceOf(s *state.Snapshot, arn string) (*model.Instance, bool) {
	a, ok := model.ParseARN(arn)
	if !ok {
		return nil, false
	}
	return s.Instances.Get(a.Scope.Key(a.Segments()...))
}
