package model

import (
	"cmp"
	"slices"
	"strings"
	"unique"
)

// taskRank orders the statuses; a task's lastStatus only moves forward (SEMANTICS §11.1).
func taskRank(status string) int {
	return slices.Index([]string{TaskProvisioning, TaskPending, TaskActivating, TaskRunning,
		TaskDeactivating, TaskStopping, TaskDeprovisioning, TaskStopped}, status)
}

func containerRank(status string) int {
	return slices.Index([]string{TaskPending, TaskRunning, TaskStopped}, status)
}

// Report is what a node says of one of its tasks. Absent parts are zero.
type Report struct {
	Status      string // RUNNING, STOPPED, or anything else: not there yet
	Reason      string
	Containers  []ContainerReport // in the order they happened; a container may stand there twice
	Attachments []Attachment      // ID and Status; Details where known

	PullStartedAt, PullStoppedAt, ExecutionStoppedAt Millis
}

// ContainerReport is what a node says of one container.
type ContainerReport struct {
	Name      string
	RuntimeID string
	Digest    string
	Status    string
	Exited    bool
	ExitCode  int32
	Reason    string
	Bindings  []PortBinding
}

// Observe returns the task after a report, and whether anything a caller can see has changed. Repeated, late and
// backward reports change nothing, so that an agent may send one as often as it likes.
func (t Task) Observe(r Report, now Millis) (Task, bool) {
	if t.Last == TaskStopped {
		return t, false
	}
	before := t
	t.Containers = slices.Clone(t.Containers)
	t.Attachments = slices.Clone(t.Attachments)
	for i := range r.Containers {
		t.observeContainer(&r.Containers[i])
	}
	for _, a := range r.Attachments {
		t.observeAttachment(a)
	}
	setOnce(&t.PullStartedAt, r.PullStartedAt)
	setOnce(&t.PullStoppedAt, r.PullStoppedAt)
	setOnce(&t.ExecutionStoppedAt, r.ExecutionStoppedAt)
	t.derive(r, now)
	if t.seenAs(&before) { // what comes and goes within one report is no change
		return before, false
	}
	t.Version++
	return t, true
}

// seenAs reports whether all that Observe may change is as in another state of the task.
func (t *Task) seenAs(o *Task) bool {
	return t.Last == o.Last && t.Desired == o.Desired && t.StopCode == o.StopCode && t.StopReason == o.StopReason &&
		t.PullStartedAt == o.PullStartedAt && t.PullStoppedAt == o.PullStoppedAt && t.StartedAt == o.StartedAt &&
		t.ConnectivityAt == o.ConnectivityAt && t.StoppingAt == o.StoppingAt && t.ExecutionStoppedAt == o.ExecutionStoppedAt &&
		t.StoppedAt == o.StoppedAt &&
		slices.EqualFunc(t.Containers, o.Containers, func(a, b Container) bool { return a.seenAs(&b) }) &&
		slices.EqualFunc(t.Attachments, o.Attachments, func(a, b Attachment) bool {
			return a.Status == b.Status && slices.Equal(a.Details, b.Details)
		})
}

func (p *Container) seenAs(o *Container) bool {
	return p.Status == o.Status && p.RuntimeID == o.RuntimeID && p.Digest == o.Digest && p.Reason == o.Reason &&
		p.Exited == o.Exited && p.ExitCode == o.ExitCode && slices.Equal(p.Bindings, o.Bindings)
}

// derive moves the task forward to where the report and its containers put it.
func (t *Task) derive(r Report, now Millis) {
	if r.Status == TaskStopped {
		t.finish(r, now)
		return
	}
	stopped, running := 0, 0
	for i := range t.Containers {
		switch t.Containers[i].Status {
		case TaskStopped:
			stopped++
			if t.Containers[i].Essential {
				t.essentialExit(r, now)
			}
		case TaskRunning:
			running++
		}
	}
	switch {
	case stopped == len(t.Containers) && stopped > 0:
		t.forward(TaskDeprovisioning)
	case t.Desired == TaskStopped:
		// the containers are on their way down: DEACTIVATING and STOPPING are said by StopDelivered
	case r.Status == TaskRunning:
		t.run(now)
	case running+stopped > 0:
		t.forward(TaskActivating)
	case t.Last == TaskProvisioning && t.attached():
		t.forward(TaskPending)
	}
}

// run records that the task has reached RUNNING.
func (t *Task) run(now Millis) {
	t.forward(TaskRunning)
	setOnce(&t.StartedAt, now)
	setOnce(&t.ConnectivityAt, now)
}

// essentialExit makes the node's own decision to stop the task visible: one essential container stopped.
func (t *Task) essentialExit(r Report, now Millis) {
	setOnce(&t.ExecutionStoppedAt, now)
	if t.Desired == TaskStopped {
		return
	}
	t.Desired = TaskStopped
	setOnce(&t.StoppingAt, now)
	t.explainStop(r)
	if t.StartedAt != 0 {
		t.forward(TaskStopping)
	}
}

// finish ends the task.
func (t *Task) finish(r Report, now Millis) {
	for i := range t.Containers {
		t.Containers[i].Status = TaskStopped
	}
	for i := range t.Attachments {
		t.Attachments[i].Status = "DELETED"
	}
	if t.ran() {
		setOnce(&t.StartedAt, cmp.Or(t.ExecutionStoppedAt, now))
		setOnce(&t.ExecutionStoppedAt, now)
	}
	t.Desired, t.Last = TaskStopped, TaskStopped
	setOnce(&t.StoppingAt, now)
	setOnce(&t.StoppedAt, now)
	t.explainStop(r)
}

// ran reports whether the task's code was ever started: it was RUNNING, or an essential container ran and exited.
func (t *Task) ran() bool {
	return t.StartedAt != 0 || slices.ContainsFunc(t.Containers, func(c Container) bool { return c.Essential && c.ran() })
}

// ran reports whether the container has exited and was started before that. Its exit code alone does not say so: that of
// one whose dependency failed is made up (AGENT-PROTOCOL §4.4).
func (p *Container) ran() bool {
	return p.Exited && !p.depended() && !strings.HasPrefix(p.Reason, "CannotStartContainerError:")
}

// depended reports whether the container was not started because of a dependency, in the words of our agent or of the
// original one [O].
func (p *Container) depended() bool {
	return strings.HasPrefix(p.Reason, "TaskDependencyError:") || strings.HasPrefix(p.Reason, "CannotStartContainerError: dependency graph:")
}

// explainStop derives stopCode and stoppedReason when nobody asked for the stop (AGENT-PROTOCOL §4.3): the agent
// sends neither.
func (t *Task) explainStop(r Report) {
	if t.StopCode != "" {
		return
	}
	if t.ran() {
		t.StopCode, t.StopReason = StopEssentialContainerExited, "Essential container in task exited"
		return
	}
	t.StopCode = StopTaskFailedToStart
	reason := cmp.Or(t.containerReason(true), t.containerReason(false))
	if reason == "" && !slices.ContainsFunc(t.Containers, func(c Container) bool { return c.depended() }) {
		reason = r.Reason
	}
	t.StopReason = cmp.Or(reason, "Task failed to start")
}

// containerReason is the first reason that a container of the kind gives for not having started. A dependency is none for
// the task: ECS lets only the container tell of it [O].
func (t *Task) containerReason(essential bool) string {
	for i := range t.Containers {
		if c := &t.Containers[i]; c.Essential == essential && !c.ran() && !c.depended() && c.Reason != "" {
			return c.Reason
		}
	}
	return ""
}

// Stop returns the task with the wish that it be stopped (SEMANTICS §2.5). A task that is stopping or stopped already
// is returned unchanged with false. A task that no node has heard of is STOPPED at once.
func (t Task) Stop(code, reason string, now Millis) (Task, bool) {
	if t.Desired == TaskStopped {
		return t, false
	}
	t.Containers, t.Attachments = slices.Clone(t.Containers), slices.Clone(t.Attachments)
	t.Desired, t.StopCode, t.StopReason, t.StoppingAt = TaskStopped, code, reason, now
	switch {
	case t.Instance == "":
		t.finish(Report{}, now)
	case t.Last == TaskRunning:
		t.forward(TaskDeactivating)
	}
	t.Version++
	return t, true
}

// Lose returns the task STOPPED because its instance is gone and will not report any more (SEMANTICS §8.9).
func (t Task) Lose(reason string, now Millis) (Task, bool) {
	if t.Last == TaskStopped {
		return t, false
	}
	t.Containers, t.Attachments = slices.Clone(t.Containers), slices.Clone(t.Attachments)
	if t.StopReason == "" {
		t.StopReason = reason
	}
	if t.StopCode == "" {
		t.StopCode = StopTaskFailedToStart
		if t.StartedAt != 0 {
			t.StopCode = StopEssentialContainerExited
		}
	}
	t.finish(Report{}, now)
	t.Version++
	return t, true
}

// Delivered returns the task after its node has acknowledged the newest wish for it: a start takes it from
// PROVISIONING to PENDING, a stop to STOPPING.
func (t Task) Delivered() (Task, bool) {
	last := t.Last
	switch {
	case t.Desired == TaskStopped:
		t.forward(TaskStopping)
	default:
		t.forward(TaskPending)
	}
	if t.Last == last {
		return t, false
	}
	t.Version++
	return t, true
}

// forward moves lastStatus to status unless it is there or further.
func (t *Task) forward(status string) {
	if taskRank(status) > taskRank(t.Last) {
		t.Last = status
	}
}

func (t *Task) observeContainer(r *ContainerReport) {
	i := slices.IndexFunc(t.Containers, func(c Container) bool { return c.Name == r.Name })
	if i < 0 {
		return
	}
	c := &t.Containers[i]
	if containerRank(r.Status) > containerRank(c.Status) {
		c.Status = shared(r.Status)
	}
	setText(&c.RuntimeID, r.RuntimeID)
	setText(&c.Digest, shared(r.Digest))
	setText(&c.Reason, r.Reason)
	if r.Exited && !c.Exited {
		c.Exited, c.ExitCode = true, r.ExitCode
	}
	if len(r.Bindings) > 0 {
		c.Bindings = slices.Clone(r.Bindings)
		for i := range c.Bindings {
			b := &c.Bindings[i]
			b.BindIP, b.Protocol = shared(b.BindIP), shared(b.Protocol)
		}
	}
}

// shared returns the one copy of a text that many rows hold: reports bring their own each.
func shared(s string) string { return unique.Make(s).Value() }

// attachmentRank orders an attachment's statuses (SEMANTICS §13.1).
func attachmentRank(status string) int {
	return slices.Index([]string{"PRECREATED", "CREATED", "ATTACHING", "ATTACHED", "DETACHING", "DETACHED", "DELETED", "FAILED"}, status)
}

func (t *Task) observeAttachment(r Attachment) {
	i := slices.IndexFunc(t.Attachments, func(a Attachment) bool { return a.ID == r.ID })
	if i < 0 {
		return
	}
	a := &t.Attachments[i]
	if attachmentRank(r.Status) > attachmentRank(a.Status) {
		a.Status = r.Status
	}
	if len(r.Details) > 0 {
		a.Details = slices.Clone(r.Details)
	}
}

// attached reports whether the task's network interface is there.
func (t *Task) attached() bool {
	return !slices.ContainsFunc(t.Attachments, func(a Attachment) bool { return a.Status != "ATTACHED" })
}

func setOnce(have *Millis, v Millis) {
	if *have == 0 {
		*have = v
	}
}

func setText(have *string, v string) {
	if *have == "" {
		*have = v
	}
}

// ObserveHealth returns the task with the health of containers, by name, and with its own: that of the worst essential
// container, UNHEALTHY before UNKNOWN before HEALTHY (SEMANTICS §7).
func (t Task) ObserveHealth(containers map[string]string, now Millis) (Task, bool) {
	if t.Last == TaskStopped {
		return t, false
	}
	changed := false
	t.Containers = slices.Clone(t.Containers)
	worst := ""
	for i := range t.Containers {
		c := &t.Containers[i]
		if h := containers[c.Name]; healthRank(h) > 0 && h != c.Health {
			c.Health, changed = h, true
		}
		if c.Essential && c.Health != "" && healthRank(c.Health) > healthRank(worst) {
			worst = c.Health
		}
	}
	if worst != "" && worst != t.Health {
		t.Health, changed = worst, true
		if worst == "HEALTHY" {
			t.HealthyAt = now
		}
	}
	if changed {
		t.Version++
	}
	return t, changed
}

// healthRank orders healths from good to bad; 0 or less is none.
func healthRank(h string) int {
	return slices.Index([]string{"", "HEALTHY", "UNKNOWN", "UNHEALTHY"}, h)
}
