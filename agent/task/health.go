package task

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// HealthCheck is the health check of a container, from its definition; an image's own is not looked at (SEMANTICS §7) [D].
type HealthCheck struct {
	Command     []string // what is executed in the container
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration // failures do not count that long after the start
	Retries     int           // failures in a row that make a container UNHEALTHY
}

// Defaults of the original agent, for payloads that leave something out (SEMANTICS §7) [D].
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 5 * time.Second
	defaultRetries  = 3
	// firstLook is when a container is checked first; see Next.
	firstLook = 250 * time.Millisecond
	// startInterval is how often a container is checked in its start period until it is HEALTHY, if its interval is longer: as
	// Docker does it [I].
	startInterval = 5 * time.Second
)

// maxOutput is how much of a check's output is kept (AGENT-PROTOCOL §4.5).
const maxOutput = 1024

// healthCheck reads the container's health check, nil if it has none.
func healthCheck(c *acs.Container) *HealthCheck {
	var config acs.ContainerConfig
	if c.HealthCheckType == "" || unmarshal(c.Docker.Config, &config) != nil || config.Healthcheck == nil {
		return nil
	}
	in := config.Healthcheck
	h := &HealthCheck{
		Interval:    cmp.Or(time.Duration(in.Interval), defaultInterval),
		Timeout:     cmp.Or(time.Duration(in.Timeout), defaultTimeout),
		StartPeriod: time.Duration(in.StartPeriod),
		Retries:     cmp.Or(in.Retries, defaultRetries),
	}
	switch {
	case len(in.Test) < 2:
		return nil
	case in.Test[0] == "CMD":
		h.Command = in.Test[1:]
	case in.Test[0] == "CMD-SHELL":
		h.Command = append([]string{"/bin/sh", "-c"}, in.Test[1:]...)
	default: // NONE
		return nil
	}
	return h
}

// Vitals are what the health checks of a running container have said so far.
type Vitals struct {
	// Health is UNKNOWN until a check has said more, and "" if there is nothing to tell: without a health check, or when the
	// agent found the container running and does not know yet what was told of it before.
	Health   string
	Since    time.Time // of Health
	Failures int       // in a row, of those that count
	Ended    time.Time // when the last check ended
	Output   string    // of the last check, at most 1024 bytes
}

// Result is how one run of a health check ended.
type Result struct {
	Began, Ended time.Time
	Passed       bool
	Output       string
}

// Judge returns the vitals after one more result, of a container that was started at a time (SEMANTICS §7) [D]: one success
// makes it HEALTHY, also in the start period, and ends that; Retries failures in a row make it UNHEALTHY. Those before the first
// interval is over do not count: without early looks there would be none.
func (h *HealthCheck) Judge(v Vitals, r Result, started time.Time) Vitals {
	health := v.Health
	switch starting := v.Health != HealthHealthy && v.Health != HealthUnhealthy; {
	case r.Passed:
		health, v.Failures = HealthHealthy, 0
	case starting && r.Began.Before(started.Add(max(h.StartPeriod, h.Interval))):
	default:
		if v.Failures++; v.Failures >= h.Retries {
			health = HealthUnhealthy
		}
	}
	if health != v.Health {
		v.Health, v.Since = health, r.Ended
	}
	v.Ended, v.Output = r.Ended, r.Output
	return v
}

// Next is when the next check is due: an interval after the last one ended, or after the start; and at once if the agent
// found the container running. Until one has passed, the first interval is used for early looks, each twice as late as the one
// before: a roll-out waits for every new task's first success [I].
func (h *HealthCheck) Next(v Vitals, started time.Time) time.Time {
	last := v.Ended
	if last.IsZero() {
		if v.Health == "" {
			return started
		}
		last = started
	}
	if first := started.Add(h.Interval); v.Health == HealthUnknown && last.Before(first) {
		if early := started.Add(max(firstLook, 2*last.Sub(started))); early.Before(first) {
			return early
		}
		return first
	}
	if v.Health != HealthHealthy && v.Health != HealthUnhealthy && last.Before(started.Add(h.StartPeriod)) {
		return last.Add(min(h.Interval, startInterval))
	}
	return last.Add(h.Interval)
}

// judge draws the conclusions from health checks that have ended.
func (p *step) judge() {
	for i, h := range p.d.graph.checks {
		if c := &p.s.Containers[i]; c.result != nil {
			if h != nil && c.Phase == PhaseRunning && !c.Restarting && !c.result.Began.Before(c.begun()) {
				c.Vitals = h.Judge(c.Vitals, *c.result, c.begun())
			}
			c.result = nil
		}
	}
}

// check starts the health checks that are due. Those of containers that stop are given up: nobody wants to know any more.
func (p *step) check() {
	for i, h := range p.d.graph.checks {
		c := &p.s.Containers[i]
		switch {
		case h == nil:
			continue
		case p.s.Stopping || c.Phase != PhaseRunning || c.Restarting:
			p.cancel(&c.Check, c.Name)
			continue
		}
		if at := h.Next(c.Vitals, c.begun()); p.now.Before(at) {
			p.lookAt(at)
		} else if p.begin(&c.Check, VerbCheck, c.Name, 0) {
			c.Check.Since = p.now
			p.actions[len(p.actions)-1].Deadline = p.now.Add(h.Timeout + tryLimit)
		}
	}
}

// checked takes the outcome of a health check. An error without a name is the runtime's, and says nothing of the container.
func (c *Container) checked(o Outcome, now time.Time) {
	began, cancelled := c.Check.Since, c.Check.Cancelled
	c.Check.Doing, c.Check.Cancelled = false, false
	_, named := errors.AsType[*Failure](o.Err)
	switch {
	case cancelled:
		return
	case o.Err != nil && !named:
		c.Check.retry(o, 0, now)
		return
	}
	c.Check = Try{Verb: VerbCheck}
	c.result = &Result{Began: began, Ended: now, Passed: o.Err == nil && !o.Run.TimedOut && o.Run.ExitCode == 0, Output: o.Run.Output}
	if o.Err != nil {
		c.result.Output = o.Err.Error()
	}
	c.result.Output = c.result.Output[:min(len(c.result.Output), maxOutput)]
}

// health is what the health checks of all containers say, for comparison.
func (s *State) health() string {
	var b strings.Builder
	for i := range s.Containers {
		if h := s.Containers[i].Vitals.Health; h != "" {
			b.WriteString(s.Containers[i].Name + "=" + h + " ")
		}
	}
	return b.String()
}

// TaskHealth is what is known of the health of a task's containers; those of which there is nothing to tell are left out.
type TaskHealth struct {
	TaskArn    string
	Containers []ContainerHealth
}

// ContainerHealth is HealthHealthy, HealthUnhealthy or HealthUnknown.
type ContainerHealth struct {
	Name   string
	Health string
}

// Health is that of all tasks with health checks that are not STOPPED, by task id.
func (e *Engine) Health() []TaskHealth {
	var out []TaskHealth
	for _, v := range e.List() {
		t := TaskHealth{TaskArn: v.Task.Arn}
		for i := range v.State.Containers {
			if c := &v.State.Containers[i]; c.Vitals.Health != "" {
				t.Containers = append(t.Containers, ContainerHealth{c.Name, c.Vitals.Health})
			}
		}
		if len(t.Containers) > 0 && v.State.StoppedAt.IsZero() {
			out = append(out, t)
		}
	}
	return out
}

// HealthChanged holds a token when Health may say something new. One reader at a time.
func (e *Engine) HealthChanged() <-chan struct{} { return e.health }
