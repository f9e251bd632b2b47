package deployment

import (
	"math"
	"time"

	"github.com/roadstead/roadstead/model"
)

// percent is how much of the production traffic is green after the stage's step: all of it in one step of BLUE_GREEN, in
// equal steps of LINEAR, the last of which may be smaller, and in two steps of CANARY (SEMANTICS §9) [D]. It is reckoned in
// tenths, which percentages are given in, so that thirty steps of 3.3 do not end at 98.99999.
func (w *stageWalk) percent() float64 {
	tenths := 1000
	switch c := w.deployment.Configuration; string(c.Strategy) {
	case model.StrategyLinear:
		step := 10.0
		if c.LinearConfiguration != nil && c.LinearConfiguration.StepPercent != nil {
			step = *c.LinearConfiguration.StepPercent
		}
		tenths = max(inTenths(step), 1) * int(w.stage.Step+1)
	case model.StrategyCanary:
		share := 5.0
		if c.CanaryConfiguration != nil && c.CanaryConfiguration.CanaryPercent != nil {
			share = *c.CanaryConfiguration.CanaryPercent
		}
		if w.stage.Step == 0 {
			tenths = inTenths(share)
		}
	}
	return float64(min(tenths, 1000)) / 10
}

func inTenths(percent float64) int { return int(math.Round(percent * 10)) }

// lastStep reports whether all of the production traffic is green.
func (w *stageWalk) lastStep() bool { return w.stage.ProductionWeight >= 100 }

// stepBake is how long a step of the production traffic lasts at least, but for the last.
func (w *stageWalk) stepBake() time.Duration {
	switch c := w.deployment.Configuration; string(c.Strategy) {
	case model.StrategyLinear:
		if c.LinearConfiguration == nil {
			return minutes(nil, 6)
		}
		return minutes(c.LinearConfiguration.StepBakeTimeInMinutes, 6)
	case model.StrategyCanary:
		if c.CanaryConfiguration == nil {
			return minutes(nil, 10)
		}
		return minutes(c.CanaryConfiguration.CanaryBakeTimeInMinutes, 10)
	}
	return 0
}

// bake is how long both revisions run after all of the traffic has moved.
func (w *stageWalk) bake() time.Duration {
	return minutes(w.deployment.Configuration.BakeTimeInMinutes, 0)
}

func minutes(n *int32, otherwise int32) time.Duration {
	if n == nil {
		n = &otherwise
	}
	return time.Duration(*n) * time.Minute
}
