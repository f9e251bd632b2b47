package fleet

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Life is what becomes of one task on its node. What it leaves at zero takes no time.
type Life struct {
	Start    time.Duration // from the assignment to RUNNING, or to the failure
	Failure  string        // why it cannot start, "CannotPullContainerError: ..."; "" means that it can
	Run      time.Duration // from RUNNING until its essential containers exit by themselves; 0 means never
	ExitCode int32         // with which they do
	Healthy  time.Duration // from RUNNING until its health checks succeed, if it has any
	Sick     time.Duration // from RUNNING until they fail; 0 means never
	Stop     time.Duration // from the wish that it stop until its containers have exited
	Release  time.Duration // from then until its network is gone and the task STOPPED
}

// phase is how far a task has come on its node. It only moves forward.
type phase uint8

const (
	starting  phase = iota // its images are pulled, its containers made
	running                // the task is RUNNING
	stopping               // its containers are told to stop
	releasing              // its containers have stopped, its network is there yet
	stopped                // the task is STOPPED
)

// task is one task on its node.
type task struct {
	arn         string
	mode        string // bridge, host, none, awsvpc
	containers  []container
	attachments []string // ARNs
	checked     []string // containers that have a health check
	life        Life

	phase      phase
	told       bool      // to stop
	due        time.Time // when the phase ends by itself; zero: never
	acceptedAt time.Time
	startedAt  time.Time // zero: it never ran
	exitedAt   time.Time // of the essential containers; zero: not yet, or never ran
	exitCode   int32
	exited     bool   // exitCode is known
	reason     string // of the containers' end

	said    string // what its health checks said last; "" means nothing
	untold  bool   // the control plane has not accepted what there is to tell
	ranTold bool   // it has accepted that the task is or was RUNNING
}

// container is one container of a task.
type container struct {
	name      string
	essential bool
	bindings  []acs.NetworkBinding
}

// newTask takes an assignment up. One that is to be stopped before it ever ran ends at once.
func newTask(a *acs.Task, life Life, now time.Time, port func() int32) *task {
	t := &task{arn: a.Arn, mode: a.NetworkMode, life: life, acceptedAt: now, due: now.Add(life.Start)}
	if t.mode == "" {
		t.mode = "bridge"
	}
	for i := range a.Containers {
		c := &a.Containers[i]
		if c.HealthCheckType != "" {
			t.checked = append(t.checked, c.Name)
		}
		t.containers = append(t.containers, container{name: c.Name, essential: c.Essential, bindings: bind(t.mode, c.PortMappings, port)})
	}
	for i := range a.NetworkInterfaces {
		if arn := a.NetworkInterfaces[i].AttachmentArn; t.mode == "awsvpc" && arn != "" {
			t.attachments = append(t.attachments, arn)
			t.untold = true // the interface is there from the beginning
		}
	}
	return t
}

// bind publishes ports as the network mode does; port chooses a dynamic one.
func bind(mode string, ports []acs.PortMapping, port func() int32) []acs.NetworkBinding {
	var out []acs.NetworkBinding
	for _, p := range ports {
		host := p.HostPort
		switch {
		case mode == "awsvpc" || mode == "none" || p.ContainerRange != "":
			continue
		case mode == "host":
			host = p.ContainerPort
		case host == 0:
			host = port()
		}
		protocol := p.Protocol
		if protocol == "" {
			protocol = "tcp"
		}
		out = append(out, acs.NetworkBinding{BindIP: "0.0.0.0", ContainerPort: p.ContainerPort, HostPort: host, Protocol: protocol})
	}
	return out
}

// move passes to the phases whose time has come.
func (t *task) move(now time.Time) {
	for !t.due.IsZero() && !t.due.After(now) {
		at := t.due
		switch t.phase {
		case starting:
			if t.life.Failure != "" {
				t.reason = t.life.Failure
				t.enter(releasing, at, t.life.Release)
				continue
			}
			t.startedAt = at
			t.enter(running, at, t.life.Run)
			if t.life.Run == 0 {
				t.due = time.Time{}
			}
		case running:
			t.exit(t.life.ExitCode, at)
		case stopping:
			t.exit(137, at)
		case releasing:
			t.enter(stopped, at, 0)
			t.due = time.Time{}
		}
	}
}

func (t *task) enter(p phase, at time.Time, lasts time.Duration) {
	// A stop alone is nothing to tell: the control plane asked for it.
	t.phase, t.due, t.untold = p, at.Add(lasts), t.untold || p != stopping
}

func (t *task) exit(code int32, at time.Time) {
	t.exitCode, t.exited, t.exitedAt = code, true, at
	t.enter(releasing, at, t.life.Release)
}

// stop tells the task to stop.
func (t *task) stop(now time.Time) {
	t.told = true
	switch t.phase {
	case starting:
		release := t.life.Release
		if len(t.containers) == 0 { // nobody ever heard what the task is: there is nothing to release
			release = 0
		}
		t.enter(releasing, now, release)
		t.move(now)
	case running:
		exit := t.due // it may end by itself before it obeys
		t.enter(stopping, now, t.life.Stop)
		if !exit.IsZero() && exit.Before(t.due) {
			t.due, t.phase = exit, running
		}
	}
}

// resume begins again what needs an agent and had none: containers live without one.
func (t *task) resume(now time.Time) {
	switch t.phase {
	case starting:
		t.due = now.Add(t.life.Start)
	case releasing:
		t.due = now.Add(t.life.Release)
	}
}

// vanish is what a power failure does to the task: nobody sees how its containers end.
func (t *task) vanish(now time.Time) {
	if t.phase == running || t.phase == stopping {
		t.reason, t.exitedAt = "ContainerVanishedError: the runtime no longer has container "+t.containers[0].name, now
		t.enter(releasing, now, t.life.Release)
	}
}

// report is all that the control plane should know of the task now, in our agent's words (agent/task.Report).
func (t *task) report() acs.SubmitTaskStateChangeRequest {
	r := acs.SubmitTaskStateChangeRequest{Task: t.arn, Status: "PENDING", PullStartedAt: seconds(t.acceptedAt)}
	ran := !t.startedAt.IsZero()
	if ran {
		r.Status, r.PullStoppedAt = "RUNNING", seconds(t.startedAt)
	}
	if t.phase == stopped {
		r.Status, r.ExecutionStoppedAt = "STOPPED", seconds(t.exitedAt)
	}
	for i := range t.containers {
		c := &t.containers[i]
		change := acs.ContainerChange{ContainerName: c.name, Status: "RUNNING", NetworkBindings: c.bindings}
		if ran {
			change.RuntimeID, change.ImageDigest = idOf(t.arn)+"-"+c.name, digest
			r.Containers = append(r.Containers, change)
		}
		if t.phase >= releasing {
			change.Status, change.Reason = "STOPPED", t.reason
			if t.exited {
				change.ExitCode = t.codeOf(c)
			}
			r.Containers = append(r.Containers, change)
		}
	}
	for _, arn := range t.attachments {
		status := "ATTACHED"
		if t.phase == stopped {
			status = "DELETED"
		}
		r.Attachments = append(r.Attachments, acs.AttachmentState{AttachmentArn: arn, Status: status})
	}
	return r
}

// codeOf is a container's exit code: those that did not end by themselves were killed.
func (t *task) codeOf(c *container) *int32 {
	if c.essential {
		return &t.exitCode
	}
	return new(int32(137))
}

// digest is the same for all images.
const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// asRunning is the report that a task which has stopped would have sent while it ran.
func (t task) asRunning() acs.SubmitTaskStateChangeRequest {
	t.phase = running
	return t.report()
}

func idOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// seconds is the time as the API takes it: seconds since the epoch, 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// Forever is the life of a task that starts at once and runs until it is told to stop.
func Forever(*acs.Task, *rand.Rand) Life { return Life{} }
