package simulate

import (
	"maps"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// node is a modelled machine: an agent that is connected or not, and tasks that live by the clock.
type node struct {
	w      *world
	order  int // among all
	number int // in its group
	name   string
	group  *Group
	zone   string
	arn    string // of the container instance
	key    string // of its row

	up   bool // the machine runs
	cut  bool // the network to the control plane is broken
	left bool // it is deregistered

	session
	tasks map[string]*local // by the row's key
	owed  []*local          // what the control plane has not been told, the longest waiting first

	ledger ledger // what the rows say of it
}

// phase is how far a task has come on its node. It only moves forward.
type phase uint8

const (
	starting phase = iota
	running
	stopping
	stopped
)

// local is a task on its node.
type local struct {
	key, arn string
	job      string
	life     life
	eni      string // ARN of its network interface's attachment, "" if it has none
	name     string // of its container

	phase   phase
	turn    int   // of the phase: alarms of earlier ones do nothing
	code    int32 // of the container, if exited
	exited  bool
	reason  string // why there is no exit code
	owing   bool   // it is in owed
	unasked bool   // the control plane takes it for stopped: nobody wants to hear of it
}

// accept takes up an assignment.
func (n *node) accept(t *model.Task, j *job) {
	l := j.life
	x := &local{key: t.Key(), arn: t.ARN(), job: j.name, life: l, name: t.Containers[0].Name}
	if len(t.Attachments) > 0 {
		x.eni = home().ARN("ecs", "attachment/"+t.Attachments[0].ID)
	}
	n.tasks[x.key] = x
	n.enter(x, starting, l.start, func() {
		if l.broken {
			x.reason = brokenReason
			n.enter(x, stopped, forever, nil)
			return
		}
		n.enter(x, running, l.run, func() { n.exit(x, l.code) })
	})
	if x.eni != "" {
		n.owe(x) // its interface is there at once
	}
}

// brokenReason is what a node says of a task that cannot start.
const brokenReason = "CannotPullContainerError: the simulation says that this one cannot start"

// enter moves the task on, and does then when the phase has lasted.
func (n *node) enter(x *local, p phase, lasts time.Duration, then func()) {
	x.turn++
	x.phase = p
	if p == running || p == stopped {
		n.owe(x)
	}
	if turn := x.turn; then != nil {
		n.w.after(lasts, func() {
			if x.turn == turn {
				then()
			}
		})
	}
}

func (n *node) exit(x *local, code int32) {
	x.code, x.exited = code, true
	n.enter(x, stopped, forever, nil)
}

// stop obeys the wish that a task stop.
func (n *node) stop(x *local) {
	switch x.phase {
	case starting:
		n.enter(x, stopped, forever, nil)
	case running:
		n.enter(x, stopping, x.life.stop, func() { n.exit(x, 137) })
	}
}

// vanish is what a power failure does to the tasks: nobody sees how they end.
func (n *node) vanish() {
	for _, key := range slices.Sorted(maps.Keys(n.tasks)) {
		if x := n.tasks[key]; x.phase != stopped {
			x.reason = "ContainerVanishedError: the runtime no longer has container " + x.name
			n.enter(x, stopped, forever, nil)
		}
	}
}

// owe notes that there is something to tell, and tells it if that is possible.
func (n *node) owe(x *local) {
	if !x.owing {
		x.owing = true
		n.owed = append(n.owed, x)
	}
	n.report()
}

// report tells the control plane what it does not know yet.
func (n *node) report() {
	for n.connected && len(n.owed) > 0 {
		x := n.owed[0]
		if !n.submit(x) {
			return // the leader is gone: again with the next connection
		}
		n.owed[0] = nil
		n.owed = n.owed[1:]
		x.owing = false
		if x.phase == stopped {
			delete(n.tasks, x.key)
		}
	}
}

// submit reports one task; false if nobody took the report.
func (n *node) submit(x *local) bool {
	if x.unasked {
		return true
	}
	in := &sdk.SubmitTaskStateChangeInput{Cluster: &n.group.Cluster, Task: &x.arn, Status: new("PENDING")}
	c := types.ContainerStateChange{ContainerName: &x.name, RuntimeId: &x.job, Status: new(model.TaskRunning)}
	attached := "ATTACHED"
	switch x.phase {
	case running, stopping:
		in.Status = new(model.TaskRunning)
		in.Containers = []types.ContainerStateChange{c}
	case stopped:
		in.Status, c.Status, attached = new(model.TaskStopped), new(model.TaskStopped), "DELETED"
		if x.exited {
			c.ExitCode = &x.code
		} else if x.reason != "" {
			c.Reason = &x.reason
		}
		in.Containers = []types.ContainerStateChange{c}
	}
	if x.eni != "" {
		in.Attachments = []types.AttachmentStateChange{{AttachmentArn: &x.eni, Status: &attached}}
	}
	_, err := invoke[sdk.SubmitTaskStateChangeOutput](n.w, "SubmitTaskStateChange", in)
	if notLeading(err) {
		return false
	}
	if _, exists := n.w.db.Snapshot().Tasks.Get(x.key); err != nil && exists { // else it was over long ago
		n.w.violate("%s reports %s: %v", n.name, x.job, err)
	}
	return true
}
