package fleet

import (
	"time"

	"github.com/roadstead/roadstead/acs"
)

// What a health check says of a container.
const (
	healthUnknown   = "UNKNOWN"
	healthHealthy   = "HEALTHY"
	healthUnhealthy = "UNHEALTHY"
)

// health is what the task's health checks say now, "" if it has none or does not run, and when they will say something else,
// zero if they will not.
func (t *task) health(now time.Time) (string, time.Time) {
	if len(t.checked) == 0 || t.phase != running {
		return "", time.Time{}
	}
	healthy, sick := t.startedAt.Add(t.life.Healthy), t.startedAt.Add(t.life.Sick)
	switch {
	case t.life.Sick > 0 && !now.Before(sick):
		return healthUnhealthy, time.Time{}
	case now.Before(healthy):
		return healthUnknown, healthy
	case t.life.Sick > 0:
		return healthHealthy, sick
	}
	return healthHealthy, time.Time{}
}

// checkup rouses the telemetry when a task's health is another, and returns when it will be, zero if it will not. Caller
// holds mu.
func (n *Node) checkup(t *task, now time.Time) time.Time {
	is, next := t.health(now)
	if is != t.said {
		t.said = is
		select {
		case n.pulse <- struct{}{}:
		default:
		}
	}
	return next
}

// healths are the tasks whose health is not as it was told before; told is brought up to date.
func (n *Node) healths(told map[string]string) []acs.TaskHealth {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []acs.TaskHealth
	for _, t := range n.sorted() {
		if t.said == "" || told[t.arn] == t.said {
			continue
		}
		told[t.arn] = t.said
		h := acs.TaskHealth{TaskArn: t.arn}
		for _, name := range t.checked {
			h.Containers = append(h.Containers, acs.ContainerHealth{ContainerName: name, HealthStatus: t.said})
		}
		out = append(out, h)
	}
	for arn := range told {
		if n.tasks[arn] == nil {
			delete(told, arn)
		}
	}
	return out
}
