package task

import (
	"slices"

	"github.com/roadstead/roadstead/acs"
)

// Awsfirelens is the log driver of containers whose lines go to their task's log router (SEMANTICS §13.7).
const Awsfirelens = "awsfirelens"

// Router is the task's log router, nil if it has none.
func Router(t *acs.Task) *acs.Container {
	i := slices.IndexFunc(t.Containers, func(c acs.Container) bool { return c.Firelens != nil })
	if i < 0 {
		return nil
	}
	return &t.Containers[i]
}

// LogsToRouter says whether the container's lines go to its task's log router.
func LogsToRouter(c *acs.Container) bool { return logConfig(c).Type == Awsfirelens }

// LogOptions are the options of the container's log driver.
func LogOptions(c *acs.Container) map[string]string { return logConfig(c).Config }

func logConfig(c *acs.Container) acs.LogConfig {
	var h acs.HostConfig
	if unmarshal(c.Docker.HostConfig, &h) != nil {
		return acs.LogConfig{}
	}
	return h.LogConfig
}

// waitsForRouter says whether the container starts after its task's log router, and knows its address: unless the router itself
// waits for it, as in AWS's agent [O].
func waitsForRouter(c, router *acs.Container) bool {
	waits := slices.ContainsFunc(router.DependsOn, func(d acs.Dependency) bool { return d.ContainerName == c.Name })
	return c != router && !waits && LogsToRouter(c)
}
