package task

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// Outcome is how an action ended.
type Outcome struct {
	Verb      Verb
	Container string
	Err       error
	Digest    string   // of VerbPull
	PID       uint32   // of VerbStart
	Sandbox   Sandbox  // of VerbSetup
	Run       CheckRun // of VerbCheck
}

// oomReason is the reason of a container that the kernel killed for its memory limit (SEMANTICS §4.2) [O].
const oomReason = "OutOfMemoryError: Container killed due to memory usage"

// exitKilled is the exit code of a process ended by SIGKILL.
const exitKilled = 137

// Back-off between tries of an action that failed with a passing error: the runtime is away for a moment.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
	// roomRetry is the longest one when the disk is full: somebody may make room at any time, and a look costs nothing.
	roomRetry = time.Second
)

// Apply writes the outcome of an action into the state. An error that is not a *Failure is passing: the action is
// tried again after a back-off, within the limits of pull, create, start and setup.
func (s State) Apply(o Outcome, now time.Time) State {
	s = s.clone()
	if o.Verb == VerbSetup || o.Verb == VerbRelease {
		for i := range s.Nets {
			if s.Nets[i].Container == o.Container {
				s.Nets[i].apply(o, now)
			}
		}
		return s
	}
	switch i := s.index(o.Container); {
	case i < 0:
	case o.Verb == VerbCheck:
		s.Containers[i].checked(o, now)
	default:
		s.Containers[i].apply(o, now)
	}
	return s
}

func (n *Net) apply(o Outcome, now time.Time) {
	cancelled := n.Try.Cancelled
	n.Try.Doing, n.Try.Cancelled = false, false
	switch {
	case o.Err == nil && o.Verb == VerbSetup:
		n.Up, n.Sandbox = true, o.Sandbox
	case o.Err == nil:
		n.Gone = true
	case cancelled:
	default:
		limit := time.Duration(0)
		if o.Verb == VerbSetup {
			limit = setupLimit
		}
		if f := n.Try.retry(o, limit, now); f != nil {
			n.Failed, n.Reason = true, f.Reason()
		}
	}
}

func (c *Container) apply(o Outcome, now time.Time) {
	cancelled := c.Try.Cancelled
	c.Try.Doing, c.Try.Cancelled = false, false
	if o.Err != nil {
		c.failed(o, cancelled, now)
		return
	}
	c.Try.Attempts, c.Try.Since, c.Try.NotBefore = 0, time.Time{}, time.Time{}
	switch o.Verb {
	case VerbPull:
		c.PullStoppedAt, c.Digest = now, o.Digest
		c.Phase = max(c.Phase, PhasePulled)
	case VerbCreate:
		c.Phase, c.CreatedAt = max(c.Phase, PhaseCreated), now
	case VerbStart:
		c.Ran, c.PID = true, o.PID
		if c.StartedAt.IsZero() {
			c.StartedAt = now
		}
		c.Phase = max(c.Phase, PhaseRunning)
	case VerbRestart:
		c.PID = o.PID
		if c.Restarting { // else it has ended again meanwhile
			c.Restarting, c.ExitCode, c.FinishedAt, c.Reason = false, nil, time.Time{}, ""
		}
	case VerbSignal:
		c.Delivered = true
	case VerbKill:
		c.Try.NotBefore = now.Add(killAgain)
	case VerbDelete:
		c.Deleted = true
	}
}

// failed writes down that the container's action did not succeed.
func (c *Container) failed(o Outcome, cancelled bool, now time.Time) {
	if cancelled || (o.Verb == VerbStart || o.Verb == VerbRestart) && c.Phase == PhaseStopped {
		return // nobody waits for it any more, or its exit overtook the answer
	}
	limit := map[Verb]time.Duration{VerbPull: pullLimit, VerbCreate: createLimit, VerbStart: startLimit, VerbRestart: startLimit}[o.Verb]
	f := c.Try.retry(o, limit, now)
	if f == nil {
		return
	}
	if o.Verb == VerbPull {
		c.PullStoppedAt = now
	}
	c.Failed, c.Reason, c.Phase, c.Purge, c.Restarting = true, f.Reason(), PhaseStopped, c.Touched, false
}

// retry notes a passing error and returns nil, or returns the failure if it is final: named so by the runtime, or
// passing for longer than the limit. Without a limit nothing is final: a stop or a clean-up is never given up.
func (t *Try) retry(o Outcome, limit time.Duration, now time.Time) *Failure {
	t.Attempts++
	longest := lastRetry
	if diskFull(o.Err) {
		longest = roomRetry
	}
	next := now.Add(min(firstRetry<<min(t.Attempts-1, 10), longest))
	if limit == 0 {
		t.NotBefore = next
		return nil
	}
	if f, ok := errors.AsType[*Failure](o.Err); ok {
		return f
	}
	if next.Before(t.Since.Add(limit)) {
		t.NotBefore = next
		return nil
	}
	return &Failure{Name: failureName(o.Verb), Err: fmt.Errorf("timed out after waiting %s: %w", limit, o.Err)}
}

// diskFull recognises the error also where it comes from another process, as text.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || strings.Contains(err.Error(), syscall.ENOSPC.Error())
}

// failureName is the agent's name for an action that failed for good without a name of its own (SEMANTICS §11.2).
func failureName(v Verb) string {
	switch v {
	case VerbPull:
		return "CannotPullContainerError"
	case VerbCreate:
		return "CannotCreateContainerError"
	case VerbStart, VerbRestart:
		return "CannotStartContainerError"
	default:
		return "ContainerNetworkingError"
	}
}

// Exit writes down that the container's process has ended. Unknown containers and second exits change nothing, nor does the
// end of a process before its restart, told once more, or of one that was to become the container and was given up.
func (s State) Exit(container string, code int32, oom bool, at time.Time) State {
	i := s.index(container)
	if i < 0 || s.Containers[i].Phase == PhaseStopped || s.Containers[i].Phase < PhaseCreated {
		return s
	}
	if at.Before(s.Containers[i].RestartedAt) {
		return s
	}
	s = s.clone()
	s.Containers[i].exit(code, oom, at)
	return s
}

func (c *Container) exit(code int32, oom bool, at time.Time) {
	c.Phase, c.Ran, c.ExitCode, c.FinishedAt, c.Restarting = PhaseStopped, true, &code, at, false
	if c.StartedAt.IsZero() {
		c.StartedAt = at // its exit came before the answer of its start
	}
	if oom && code == exitKilled {
		c.Reason = oomReason
	}
}

// Ack writes down that the control plane accepted the task's STOPPED.
func (s State) Ack() State {
	s.Acked = s.Acked || !s.StoppedAt.IsZero()
	return s
}
