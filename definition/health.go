package definition

import "github.com/aws/aws-sdk-go-v2/service/ecs/types"

// fillHealthCheck fills interval, timeout and retries; the start period stays off (AGENT-PROTOCOL §4.5) [D].
func fillHealthCheck(h *types.HealthCheck) {
	if h == nil {
		return
	}
	for _, f := range []struct {
		member **int32
		value  int32
	}{{&h.Interval, 30}, {&h.Timeout, 5}, {&h.Retries, 3}} {
		if *f.member == nil {
			*f.member = new(f.value)
		}
	}
}

// checkHealth: the command says how it is to be run, and the numbers are in range [D].
func checkHealth(_ *draft, c *types.ContainerDefinition) error {
	h := c.HealthCheck
	if h == nil {
		return nil
	}
	name := deref(c.Name)
	if len(h.Command) < 2 || h.Command[0] != "CMD" && h.Command[0] != "CMD-SHELL" {
		return refuse("Invalid health check for container '%s'. The command must start with CMD or CMD-SHELL.", name) // [I]
	}
	for _, r := range []struct {
		member string
		value  *int32
		lo, hi int32
	}{
		{"interval", h.Interval, 5, 300}, {"timeout", h.Timeout, 2, 60}, {"retries", h.Retries, 1, 10}, {"startPeriod", h.StartPeriod, 0, 300},
	} {
		if !inRange(r.value, r.lo, r.hi) {
			return refuse("Invalid health check for container '%s'. '%s' must be between %d and %d.", name, r.member, r.lo, r.hi) // [I]
		}
	}
	return nil
}

const (
	defaultRestartPeriod = 300
	maxIgnoredExitCodes  = 50
)

// fillRestartPolicy fills the period of a policy that is on (SEMANTICS §11.4) [D].
func fillRestartPolicy(p *types.ContainerRestartPolicy) {
	if p != nil && deref(p.Enabled) && p.RestartAttemptPeriod == nil {
		p.RestartAttemptPeriod = new(int32(defaultRestartPeriod))
	}
}

func checkRestart(_ *draft, c *types.ContainerDefinition) error {
	p := c.RestartPolicy
	if p == nil {
		return nil
	}
	name := deref(c.Name)
	switch {
	case p.Enabled == nil:
		return refuse("Invalid restart policy for container '%s'. 'enabled' must be specified.", name) // [I]
	case !inRange(p.RestartAttemptPeriod, 60, 1800):
		return refuse("Invalid restart policy for container '%s'. 'restartAttemptPeriod' must be between 60 and 1800.", name) // [I]
	case len(p.IgnoredExitCodes) > maxIgnoredExitCodes:
		return refuse("Invalid restart policy for container '%s'. At most %d exit codes can be ignored.", name, maxIgnoredExitCodes) // [I]
	}
	return nil
}

// checkTimeouts: FARGATE's upper bounds are in fargateContainerRules [D].
func checkTimeouts(_ *draft, c *types.ContainerDefinition) error {
	for _, t := range []struct {
		member string
		value  *int32
	}{{"startTimeout", c.StartTimeout}, {"stopTimeout", c.StopTimeout}} {
		if deref(t.value) < 0 {
			return refuse("Invalid setting for container '%s'. '%s' must not be negative.", deref(c.Name), t.member) // [I]
		}
	}
	return nil
}

func checkConsistency(_ *draft, c *types.ContainerDefinition) error {
	if c.VersionConsistency != "" && !known(c.VersionConsistency) {
		return refuse("Invalid 'versionConsistency' setting for container '%s'.", deref(c.Name)) // [I]
	}
	return nil
}
