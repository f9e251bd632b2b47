package deploy

import (
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
)

// limitReached is the lack of copies that may not even wait (SEMANTICS §14.1) [D].
const limitReached = "was unable to place tasks in your cluster because the tasks provisioning capacity limit was exceeded."

// Copies without a place are tried again when room appears (hints), and after a while in any case: what makes room is not
// always seen.
const (
	firstTry = 10 * time.Second
	lastTry  = 5 * time.Minute
	lastMove = time.Hour // of copies that are wanted for the balance of zones only: each try begins and ends a rebalancing
	soon     = time.Minute
)

// complain says why copies have no place, and when they are tried again. Who asks all instances too often holds the head up:
// the causes are looked for when the time has come, not at each try.
func (d *deed) complain(tried bool) {
	if len(d.lacks) == 0 {
		if tried || d.Service.Status != model.ServiceActive || d.MoveAt != 0 && d.Now >= d.MoveAt {
			d.forget(d.key)
		}
		return
	}
	moves := !slices.ContainsFunc(d.lacks, func(l lack) bool { return !l.quiet })
	next, ask := d.lacking(d.key, d.lacks[0].request.LaunchType == "FARGATE", moves, d.Now)
	d.more = d.more || moves // the rebalancing ends at once
	if d.wake == 0 || next < d.wake {
		d.wake = next
	}
	if !ask {
		return
	}
	for i := range d.lacks {
		if l := &d.lacks[i]; !l.quiet {
			d.say(d.explain(l))
			return
		}
	}
}

// explain is the message about a lack, with its event (SEMANTICS §14.1, §14.2).
func (d *deed) explain(l *lack) *deployment.Said {
	s := &deployment.Said{Once: true, With: &deployment.Happening{Type: "ERROR", Name: "SERVICE_TASK_PLACEMENT_FAILURE", Reason: l.why}}
	if l.provider != nil {
		s.With.Providers = []string{l.provider.ARN()}
	}
	if l.why != "" {
		s.Text = l.why
		switch {
		case l.why == limitReached:
			s.With.Reason = "Tasks provisioning capacity limit exceeded." // [O] of RunTask
		case strings.HasPrefix(l.why, definition.UnassumablePrefix):
			s.With.Name = "SERVICE_TASK_CONFIGURATION_FAILURE"
			s.Text = "failed to launch a task with (error " + l.why + ")." // [O]
		default:
			s.With.Name = "SERVICE_TASK_CONFIGURATION_FAILURE"
			s.Text = "was unable to place a task. Reason: " + l.why // [I]
		}
		return d.named(s)
	}
	if l.request.LaunchType == "FARGATE" {
		s.With.Reason = "RESOURCE:FARGATE"
		s.Text = "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone."
		return d.named(s)
	}
	closest, found := scheduler.Rejection{}, l.refused != nil
	if found {
		closest = *l.refused
	} else {
		e := scheduler.Explain(scheduler.Head(d.tx), l.request)
		closest, found = e.Closest()
	}
	switch {
	case !found && l.provider != nil:
		s.With.Reason = "EMPTY CAPACITY PROVIDER"
		s.Text = "was unable to reach steady state. Reason: No Container Instances were found in your capacity provider."
	case !found || closest.Instance == nil:
		s.With.Reason = "No Container Instances were found in your cluster." // [I]
		s.Text = placing + "Reason: No Container Instances were found in your cluster." + more
	default:
		s.With.Reason = closest.Reason
		s.Text = placing + "The closest matching (container-instance " + closest.Instance.ID + ") " + trouble(closest.Reason) + more
	}
	return d.named(s)
}

// Every message about places begins and ends so [D].
const (
	placing = "was unable to place a task because no container instance met all of its requirements. "
	more    = " For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
)

// trouble is what the closest instance says to a task [D]; for reasons that have no words of their own [I].
func trouble(reason string) string {
	switch reason {
	case "RESOURCE:CPU":
		return "has insufficient CPU units available."
	case "RESOURCE:MEMORY":
		return "has insufficient memory available."
	case "RESOURCE:PORTS":
		return "is already using a port required by your task."
	case "ATTRIBUTE":
		return "is missing an attribute required by your task."
	}
	return `encountered error "` + reason + `".`
}
