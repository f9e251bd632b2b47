package ecs

import (
	"cmp"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// configure returns the service's deployment configuration with what is given changed, and with AWS's defaults where nothing
// was ever given (SEMANTICS §8.2, §8.6, §9). Ranges are [D], wordings [I] if not tagged.
func configure(s *model.Service, news *types.DeploymentConfiguration) (*types.DeploymentConfiguration, error) {
	c := defaultConfiguration(s)
	if s.Settings.DeploymentConfiguration != nil {
		*c = *s.Settings.DeploymentConfiguration
	}
	if news == nil {
		return c, nil
	}
	if news.MaximumPercent != nil {
		c.MaximumPercent = news.MaximumPercent
	}
	if news.MinimumHealthyPercent != nil {
		c.MinimumHealthyPercent = news.MinimumHealthyPercent
	}
	if err := checkPercents(s, *c.MinimumHealthyPercent, *c.MaximumPercent); err != nil {
		return nil, err
	}
	if s.Controller != model.ControllerECS {
		return c, checkForeignConfiguration(s, news)
	}
	if news.Alarms != nil {
		c.Alarms = news.Alarms
	}
	if news.EarlySuccessCriteria != nil {
		c.EarlySuccessCriteria = news.EarlySuccessCriteria
	}
	if err := mergeBreaker(c, news.DeploymentCircuitBreaker); err != nil {
		return nil, err
	}
	if err := mergeStrategy(c, s, news); err != nil {
		return nil, err
	}
	if err := mergeHooks(c, s.Scope, news); err != nil {
		return nil, err
	}
	return c, checkSuccess(c)
}

// defaultConfiguration is what holds without a word from the user.
func defaultConfiguration(s *model.Service) *types.DeploymentConfiguration {
	c := &types.DeploymentConfiguration{MaximumPercent: new(int32(200)), MinimumHealthyPercent: new(int32(100))}
	if s.Scheduling == model.SchedulingDaemon {
		c.MaximumPercent, c.MinimumHealthyPercent = new(int32(100)), new(int32(0))
	}
	if s.Controller == model.ControllerECS {
		c.Strategy, c.BakeTimeInMinutes = types.DeploymentStrategyRolling, new(int32(0))
		c.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{ResetOnHealthyTask: new(true),
			ThresholdConfiguration: &types.ThresholdConfiguration{Type: types.ThresholdTypeBoundedPercent, Value: 50}}
	}
	return c
}

func checkPercents(s *model.Service, least, most int32) error {
	switch {
	case least < 0:
		return invalid("minimumHealthyPercent must be at least 0") // [O]
	case least > 100:
		return invalid("minimumHealthyPercent must be at most 100") // [O]
	case s.Scheduling == model.SchedulingDaemon && most > 100:
		return invalid("The daemon scheduling strategy does not support values above 100 for maximumPercent on a deployment " +
			"configuration. Change the maximumPercent value to 100, and try again") // [O]
	case most < 100:
		return invalid("maximumPercent must be at least 100") // [O]
	case most > 200:
		return invalid("maximumPercent must be at most 200") // [O]
	case least == 100 && most == 100:
		return invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.") // [O]
	}
	return nil
}

// checkForeignConfiguration: whoever makes the deployments decides how (SEMANTICS §10).
func checkForeignConfiguration(s *model.Service, news *types.DeploymentConfiguration) error {
	b := news.DeploymentCircuitBreaker
	switch {
	case b != nil && (b.Enable || b.Rollback):
		return invalid("The deployment circuit breaker is only supported with the ECS deployment controller.") // [I]; the rule is [D]
	case news.Alarms != nil && news.Alarms.Enable, news.Strategy != "" && news.Strategy != types.DeploymentStrategyRolling,
		news.EarlySuccessCriteria != nil && news.EarlySuccessCriteria.Enable, len(news.LifecycleHooks) > 0:
		return invalid("The deployment configuration is not supported with the %s deployment controller.", s.Controller)
	}
	return nil
}

// mergeBreaker changes the circuit breaker; what is not given of its limits stays (SEMANTICS §8.6).
func mergeBreaker(c *types.DeploymentConfiguration, news *types.DeploymentCircuitBreaker) error {
	if news == nil {
		return nil
	}
	b := *c.DeploymentCircuitBreaker
	b.Enable, b.Rollback = news.Enable, news.Rollback
	if news.ResetOnHealthyTask != nil {
		b.ResetOnHealthyTask = news.ResetOnHealthyTask
	}
	if t := news.ThresholdConfiguration; t != nil {
		most := int32(100)
		if t.Type == types.ThresholdTypeCount {
			most = math.MaxInt32
		}
		switch {
		case !slices.Contains(t.Type.Values(), t.Type):
			return invalid("The type of a deployment circuit breaker's threshold should be one of %v", t.Type.Values())
		case t.Value < 1 || t.Value > most:
			return invalid("The value of a deployment circuit breaker's threshold must be between 1 and %d.", most)
		}
		b.ThresholdConfiguration = t
	}
	c.DeploymentCircuitBreaker = &b
	return nil
}

// mergeStrategy changes the strategy and what belongs to it (SEMANTICS §9).
func mergeStrategy(c *types.DeploymentConfiguration, s *model.Service, news *types.DeploymentConfiguration) error {
	if news.Strategy != "" {
		c.Strategy = news.Strategy
	}
	staged := c.Strategy != types.DeploymentStrategyRolling
	if news.BakeTimeInMinutes != nil {
		c.BakeTimeInMinutes = news.BakeTimeInMinutes
	}
	switch bake := *c.BakeTimeInMinutes; {
	case !slices.Contains(c.Strategy.Values(), c.Strategy):
		return invalid("Invalid deployment strategy '%s'. Valid values: %v", c.Strategy, c.Strategy.Values())
	case staged && s.Scheduling == model.SchedulingDaemon:
		return invalid("The daemon scheduling strategy does not support the %s deployment strategy.", c.Strategy)
	case bake < 0 || bake > maxBakeMinutes:
		return invalid("bakeTimeInMinutes must be between 0 and %d.", maxBakeMinutes)
	case news.Strategy == types.DeploymentStrategyBlueGreen && news.BakeTimeInMinutes == nil:
		return invalid("bakeTimeInMinutes must be specified for the BLUE_GREEN deployment strategy.")
	case news.LinearConfiguration != nil && c.Strategy != types.DeploymentStrategyLinear:
		return invalid("linearConfiguration is only valid for the LINEAR deployment strategy.")
	case news.CanaryConfiguration != nil && c.Strategy != types.DeploymentStrategyCanary:
		return invalid("canaryConfiguration is only valid for the CANARY deployment strategy.")
	}
	return mergeShift(c, news)
}

// maxBakeMinutes is the longest bake time of any kind, a day [D].
const maxBakeMinutes = 1440

// mergeShift changes how the traffic of a LINEAR or CANARY deployment moves.
func mergeShift(c, news *types.DeploymentConfiguration) error {
	linear := types.LinearConfiguration{StepPercent: new(10.0), StepBakeTimeInMinutes: new(int32(6))}
	canary := types.CanaryConfiguration{CanaryPercent: new(5.0), CanaryBakeTimeInMinutes: new(int32(10))}
	if c.LinearConfiguration != nil {
		linear = *c.LinearConfiguration
	}
	if c.CanaryConfiguration != nil {
		canary = *c.CanaryConfiguration
	}
	c.LinearConfiguration, c.CanaryConfiguration = nil, nil
	switch c.Strategy {
	case types.DeploymentStrategyLinear:
		if n := news.LinearConfiguration; n != nil {
			linear.StepPercent = cmp.Or(n.StepPercent, linear.StepPercent)
			linear.StepBakeTimeInMinutes = cmp.Or(n.StepBakeTimeInMinutes, linear.StepBakeTimeInMinutes)
		}
		c.LinearConfiguration = &linear
		return checkShift("step", *linear.StepPercent, 3, *linear.StepBakeTimeInMinutes)
	case types.DeploymentStrategyCanary:
		if n := news.CanaryConfiguration; n != nil {
			canary.CanaryPercent = cmp.Or(n.CanaryPercent, canary.CanaryPercent)
			canary.CanaryBakeTimeInMinutes = cmp.Or(n.CanaryBakeTimeInMinutes, canary.CanaryBakeTimeInMinutes)
		}
		c.CanaryConfiguration = &canary
		return checkShift("canary", *canary.CanaryPercent, 0.1, *canary.CanaryBakeTimeInMinutes)
	}
	return nil
}

// checkShift: percentages have one decimal (SEMANTICS §9).
func checkShift(what string, percent, least float64, bake int32) error {
	switch tenths := percent * 10; {
	case percent < least || percent > 100 || math.Abs(tenths-math.Round(tenths)) > 1e-9:
		return invalid("%sPercent must be a multiple of 0.1 between %.1f and 100.0.", what, least)
	case bake < 0 || bake > maxBakeMinutes:
		return invalid("%sBakeTimeInMinutes must be between 0 and %d.", what, maxBakeMinutes)
	}
	return nil
}

// checkSuccess checks alarms and early success (SEMANTICS §8.7, §8.8).
func checkSuccess(c *types.DeploymentConfiguration) error {
	if x := c.Alarms; x != nil && x.Enable && len(x.AlarmNames) == 0 {
		return invalid("alarmNames can not be empty.")
	}
	e := c.EarlySuccessCriteria
	switch {
	case e == nil || !e.Enable:
		return nil
	case c.Strategy != types.DeploymentStrategyRolling:
		return invalid("earlySuccessCriteria is only supported for the ROLLING deployment strategy.")
	case e.HealthyPercent == nil || !slices.Contains(e.SourceServiceRevisionCleanup.Values(), e.SourceServiceRevisionCleanup):
		return invalid("healthyPercent and sourceServiceRevisionCleanup must be specified for earlySuccessCriteria.")
	case *e.HealthyPercent < *c.MinimumHealthyPercent || *e.HealthyPercent > 100:
		return invalid("healthyPercent must be between minimumHealthyPercent and 100.")
	}
	return nil
}
