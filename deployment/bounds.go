package deployment

import (
	"cmp"
	"math"

	"github.com/roadstead/roadstead/model"
)

// Bounds are how many tasks of the service have to be healthy at least, and how many may be RUNNING or on their way there at
// most, while tasks are replaced (SEMANTICS §8.2) [D]: the minimum is rounded up, the maximum down.
func Bounds(s *model.Service) (minimum, maximum int) { return boundsOf(s, int(s.Desired)) }

// boundsOf are those for a part of the service's tasks, of which so many are desired.
func boundsOf(s *model.Service, desired int) (minimum, maximum int) {
	low, high := int32(100), int32(200)
	if s.Scheduling == model.SchedulingDaemon {
		low, high = 0, 100
	}
	if c := s.Settings.DeploymentConfiguration; c != nil {
		low, high = *cmp.Or(c.MinimumHealthyPercent, &low), *cmp.Or(c.MaximumPercent, &high)
	}
	return share(desired, int(low)), desired * int(high) / 100
}

// share is percent of n, rounded up.
func share(n, percent int) int { return (n*percent + 99) / 100 }

// ComputedDesired is how many tasks a task set of the scale, in percent, is to have (SEMANTICS §10) [D].
func ComputedDesired(desired int32, scale float64) int {
	return int(math.Ceil(float64(desired)*scale/100 - 1e-9))
}
