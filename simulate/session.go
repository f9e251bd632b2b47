package simulate

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/roadstead/roadstead/model"
	roadsession "github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
)

// How long what is modelled here takes, where a file says nothing of it.
const (
	delivery  = 20 * time.Millisecond // from a row to its node, and back the acknowledgement
	reconnect = 3 * time.Second       // at most, until an agent that can reach a leader is connected again
	again     = time.Second           // how often a caller repeats what no leader takes
)

// session is the control plane's side of a node's connection, as package session is for real ones.
type session struct {
	connected bool
	silent    time.Duration   // since when it is not
	dials     int             // attempts to connect; only the newest counts
	todo      []string        // keys of tasks whose node may not know the newest wish
	noted     map[string]bool // that are in todo
	payload   bool            // one is on its way
}

func notLeading(err error) bool { return errors.Is(err, state.ErrNotLeader) }

// reaches reports whether the node could be connected.
func (n *node) reaches() bool { return n.up && !n.cut && !n.left && n.w.leading }

// dial connects the node in a while if it can be by then.
func (n *node) dial() {
	if !n.reaches() || n.connected {
		return
	}
	n.dials++
	turn := n.dials
	r := (&occasion{seed: n.w.file.Seed, event: -1, number: n.w.terms}).draw(int(mix(uint64(n.number), uint64(n.dials))))
	n.w.after(time.Duration(r.Float64()*float64(reconnect)).Truncate(time.Millisecond), func() {
		if n.dials == turn && n.reaches() && !n.connected {
			n.connect()
		}
	})
}

// connect begins a session: the row says so, the node tells what it owes, and is told of all its tasks.
func (n *node) connect() {
	if err := n.setConnected(true); err != nil {
		return // no leader any more: it dials when there is one
	}
	n.connected = true
	n.noted, n.todo, n.payload = map[string]bool{}, nil, false
	for t := range n.w.db.Snapshot().TasksOn(n.key) {
		n.touch(t.Key())
	}
	for _, key := range slices.Sorted(maps.Keys(n.tasks)) {
		n.touch(key)
	}
	n.report()
}

// hangUp ends the session. The row says so when the grace is over.
func (n *node) hangUp() {
	if n.connected {
		n.connected, n.silent = false, n.w.now
		n.hush()
	}
}

// hush lets the grace of a silent node begin.
func (n *node) hush() {
	term := n.w.terms
	since := n.silent
	n.w.after(roadsession.AgentGrace, func() {
		if !n.connected && n.silent == since && n.w.terms == term && n.w.leading && !n.left {
			_ = n.setConnected(false) // it leads, and has room
		}
	})
}

// setConnected writes down whether the agent is connected.
func (n *node) setConnected(yes bool) error {
	return n.w.update(func(tx *state.Tx) error {
		i, ok := tx.Instances.Get(n.key)
		if !ok || i.Status == model.InstanceInactive || i.AgentConnected == yes {
			return nil
		}
		row := *i
		row.AgentConnected, row.DisconnectedAt = yes, 0
		if !yes {
			row.DisconnectedAt = epoch().Add(n.silent).UnixMilli()
		}
		row.Version++
		tx.Instances.Put(&row)
		return nil
	})
}

// ignorant reports whether the node has something to hear of the task.
func (n *node) ignorant(key string, t *model.Task) bool {
	x := n.tasks[key]
	switch {
	case t.Last == model.TaskStopped:
		return x != nil && x.phase != stopped
	case x == nil:
		return true
	}
	return t.Desired == model.TaskStopped && x.phase < stopping
}

// touch notes that the node is to hear of a task.
func (n *node) touch(key string) {
	if !n.connected || n.noted[key] {
		return
	}
	n.noted[key] = true
	n.todo = append(n.todo, key)
	if !n.payload {
		n.payload = true
		turn := n.dials
		n.w.after(delivery, func() {
			if n.dials == turn && n.connected {
				n.deliver()
			}
		})
	}
}

// deliver tells the node what is wanted, and writes down that it knows.
func (n *node) deliver() {
	keys := n.todo
	n.todo, n.payload = nil, false
	clear(n.noted)
	snap := n.w.db.Snapshot()
	var starts []*model.Task
	var news []string
	abandoned := 0
	for _, key := range keys {
		t, ok := snap.Tasks.Get(key)
		x := n.tasks[key]
		switch {
		case !ok || t.Last == model.TaskStopped:
			abandoned += n.abandon(x)
			continue
		case !n.ignorant(key, t):
			continue
		case x == nil:
			starts = append(starts, t)
		}
		news = append(news, key)
	}
	if abandoned > 0 {
		n.w.tell("%s stops %s for lost", n.name, amount(abandoned, "task that was taken", "tasks that were taken"))
	}
	if len(news) == 0 || n.acknowledge(news) != nil {
		return
	}
	for _, t := range starts {
		n.accept(t, n.w.jobs[t.Key()])
	}
	for _, key := range news {
		if t, ok := snap.Tasks.Get(key); ok && t.Desired == model.TaskStopped {
			n.stop(n.tasks[key])
		}
	}
}

// abandon stops a task that ran on unseen, when the control plane had taken it for lost; 1 if there was one.
func (n *node) abandon(x *local) int {
	if x == nil || x.phase == stopped || x.unasked {
		return 0
	}
	n.w.log("%s stops %s, which was taken for lost", n.name, x.job)
	x.unasked = true
	n.stop(x)
	return 1
}

// acknowledge writes down that the node knows what is wanted of the tasks.
func (n *node) acknowledge(keys []string) error {
	return n.w.update(func(tx *state.Tx) error {
		for _, key := range keys {
			if t, ok := tx.Tasks.Get(key); ok {
				if next, changed := t.Delivered(); changed {
					tx.Tasks.Put(&next)
				}
			}
		}
		return nil
	})
}
