package ecs_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestDeploymentConfiguration(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	type config = types.DeploymentConfiguration
	pause := func(stages ...types.DeploymentLifecycleHookStage) []types.DeploymentLifecycleHook {
		return []types.DeploymentLifecycleHook{{TargetType: "PAUSE", LifecycleStages: stages}}
	}
	hook := func(target string) []types.DeploymentLifecycleHook {
		return []types.DeploymentLifecycleHook{{HookTargetArn: &target, LifecycleStages: []types.DeploymentLifecycleHookStage{"POST_SCALE_UP"}}}
	}
	breaker := func(kind types.ThresholdType, value int32) *types.DeploymentCircuitBreaker {
		return &types.DeploymentCircuitBreaker{ThresholdConfiguration: &types.ThresholdConfiguration{Type: kind, Value: value}}
	}
	staged := func(hooks []types.DeploymentLifecycleHook) config {
		return config{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(0), LifecycleHooks: hooks}
	}
	for _, c := range []struct {
		rule, message string
		config        config
	}{
		{"minimum below 0 [O]", "minimumHealthyPercent must be at least 0", *percents(-1, 200)},
		{"minimum above 100 [O]", "minimumHealthyPercent must be at most 100", *percents(101, 200)},
		{"maximum below 100 [O]", "maximumPercent must be at least 100", *percents(50, 99)},
		{"maximum above 200 [O]", "maximumPercent must be at most 200", *percents(50, 201)},
		{"no room at all [O]", "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.", *percents(100, 100)},
		{"no such strategy", "Invalid deployment strategy 'X'…", config{Strategy: "X"}},
		{"blue/green without bake time [D]", "bakeTimeInMinutes must be specified for the BLUE_GREEN deployment strategy.", config{Strategy: "BLUE_GREEN"}},
		{"bake time [D]", "bakeTimeInMinutes must be between 0 and 1440.", config{BakeTimeInMinutes: aws.Int32(1441)}},
		{"linear configuration of another strategy [D]", "linearConfiguration is only valid…", config{LinearConfiguration: &types.LinearConfiguration{}}},
		{"canary configuration of another strategy [D]", "canaryConfiguration is only valid…", config{Strategy: "LINEAR", CanaryConfiguration: &types.CanaryConfiguration{}}},
		{"step of 2.9 % [D]", "stepPercent must be a multiple of 0.1 between 3.0 and 100.0.", config{Strategy: "LINEAR", LinearConfiguration: &types.LinearConfiguration{StepPercent: aws.Float64(2.9)}}},
		{"step of 10.05 % [D]", "stepPercent must be…", config{Strategy: "LINEAR", LinearConfiguration: &types.LinearConfiguration{StepPercent: aws.Float64(10.05)}}},
		{"canary of 0 % [D]", "canaryPercent must be a multiple of 0.1 between 0.1 and 100.0.", config{Strategy: "CANARY", CanaryConfiguration: &types.CanaryConfiguration{CanaryPercent: aws.Float64(0)}}},
		{"canary's bake time [D]", "canaryBakeTimeInMinutes must be between 0 and 1440.", config{Strategy: "CANARY", CanaryConfiguration: &types.CanaryConfiguration{CanaryBakeTimeInMinutes: aws.Int32(-1)}}},
		{"threshold of no kind [D]", "The type of a deployment circuit breaker's threshold should be one of…", config{DeploymentCircuitBreaker: breaker("X", 1)}},
		{"threshold of 101 % [I]", "The value of a deployment circuit breaker's threshold must be between 1 and 100.", config{DeploymentCircuitBreaker: breaker("UNBOUNDED_PERCENT", 101)}},
		{"threshold of 0", "The value of a deployment circuit breaker's threshold must be between 1 and 2147483647.", config{DeploymentCircuitBreaker: breaker("COUNT", 0)}},
		{"no alarms [D]", "alarmNames can not be empty.", config{Alarms: &types.DeploymentAlarms{AlarmNames: []string{}, Enable: true}}},
		{"early success without its members [D]", "healthyPercent and sourceServiceRevisionCleanup must be specified…", config{EarlySuccessCriteria: &types.DeploymentEarlySuccessCriteria{Enable: true}}},
		{"early success below the minimum [D]", "healthyPercent must be between minimumHealthyPercent and 100.", config{EarlySuccessCriteria: &types.DeploymentEarlySuccessCriteria{Enable: true,
			HealthyPercent: aws.Int32(99), SourceServiceRevisionCleanup: "DEFERRED"}}},
		{"early success of blue/green [D]", "earlySuccessCriteria is only supported for the ROLLING deployment strategy.", config{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(0),
			EarlySuccessCriteria: &types.DeploymentEarlySuccessCriteria{Enable: true}}},
		{"hooks without stages [I]", "lifecycleHooks are not supported for the ROLLING deployment strategy.", config{LifecycleHooks: pause("PRE_SCALE_UP")}},
		{"hook of no stage [D]", "lifecycleStages can not be empty.", staged(pause())},
		{"hook at no stage [D]", "Invalid lifecycle stage 'SCALE_UP'…", staged(pause("SCALE_UP"))},
		{"pause while traffic shifts [D]", "PAUSE hooks are not supported at the TEST_TRAFFIC_SHIFT stage.", staged(pause("TEST_TRAFFIC_SHIFT"))},
		{"hook of no function [D]", "Invalid hookTargetArn 'x'…", staged(hook("x"))},
		{"hook of a foreign definition [I]", "Invalid hookTargetArn 'arn:…", staged(hook("arn:aws:ecs:us-east-1:111111111111:task-definition/web:1"))},
		{"hook that waits too long [D]", "timeoutInMinutes must be between 1 and 20160.", staged([]types.DeploymentLifecycleHook{{TargetType: "PAUSE", LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_SCALE_UP"},
			TimeoutConfiguration: &types.DeploymentLifecycleHookTimeoutConfiguration{TimeoutInMinutes: aws.Int32(20161)}}})},
	} {
		t.Run(c.rule, func(t *testing.T) {
			refusal(t, fails(s.CreateService(ctx, &sdk.CreateServiceInput{ServiceName: aws.String("s"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(1),
				DeploymentConfiguration: &c.config})), "InvalidParameterException", c.message)
		})
	}
}

// TestStages: what a service with a strategy in stages shows (SEMANTICS §9).
func TestStages(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	hooks := []types.DeploymentLifecycleHook{
		{HookTargetArn: aws.String("arn:aws:lambda:us-east-1:000000000000:function:f"), LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_SCALE_UP"}, RoleArn: aws.String("r")},
		{HookTargetArn: aws.String("https://hooks.test/x"), LifecycleStages: []types.DeploymentLifecycleHookStage{"POST_SCALE_UP"}},
		{HookTargetArn: aws.String(defARN + "web:1"), LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_SCALE_UP"}},
		{TargetType: "PAUSE", LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_PRODUCTION_TRAFFIC_SHIFT"}},
	}
	c := s.serve("s", "web", func(in *sdk.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{Strategy: "LINEAR", LifecycleHooks: hooks}
	}).DeploymentConfiguration
	same(t, "defaults of LINEAR [D]", words(c.Strategy, *c.LinearConfiguration.StepPercent, *c.LinearConfiguration.StepBakeTimeInMinutes, c.CanaryConfiguration == nil), "LINEAR 10 6 true")
	h := c.LifecycleHooks
	same(t, "hooks [D]", words(len(h), h[0].TargetType, *h[1].HookTargetArn, h[3].TimeoutConfiguration.Action, *h[3].TimeoutConfiguration.TimeoutInMinutes),
		"4 AWS_LAMBDA https://hooks.test/x ROLLBACK 1440")
	configure := func(c types.DeploymentConfiguration) *types.DeploymentConfiguration {
		return s.amend("s", func(in *sdk.UpdateServiceInput) { in.DeploymentConfiguration = &c }).DeploymentConfiguration
	}
	c = configure(types.DeploymentConfiguration{Strategy: "CANARY", BakeTimeInMinutes: aws.Int32(5)})
	same(t, "another strategy", words(*c.CanaryConfiguration.CanaryPercent, *c.CanaryConfiguration.CanaryBakeTimeInMinutes, *c.BakeTimeInMinutes, c.LinearConfiguration == nil, len(c.LifecycleHooks)),
		"5 10 5 true 4")
	same(t, "an empty list removes the hooks [D]", len(configure(types.DeploymentConfiguration{LifecycleHooks: []types.DeploymentLifecycleHook{}}).LifecycleHooks), 0)
	configure(types.DeploymentConfiguration{LifecycleHooks: hooks})
	same(t, "ROLLING has none [I]", len(configure(types.DeploymentConfiguration{Strategy: "ROLLING"}).LifecycleHooks), 0)
}

// TestZoneRebalancing: SEMANTICS §8.10.
func TestZoneRebalancing(t *testing.T) {
	spread := []types.PlacementStrategy{{Type: "spread", Field: aws.String("attribute:ecs.availability-zone")}}
	binpack := []types.PlacementStrategy{{Type: "binpack", Field: aws.String("cpu")}}
	zone := []types.PlacementConstraint{{Type: "memberOf", Expression: aws.String("attribute:ecs.availability-zone == us-east-1a")}}
	for _, c := range []struct {
		what, obstacle string
		change         func(*sdk.CreateServiceInput)
	}{
		{"plain", "", func(*sdk.CreateServiceInput) {}},
		{"spread over zones", "", func(in *sdk.CreateServiceInput) { in.PlacementStrategy = append(spread, binpack...) }},
		{"binpack first", "a first placement strategy…", func(in *sdk.CreateServiceInput) { in.PlacementStrategy = append(binpack, spread...) }},
		{"one zone", "attribute:ecs.availability-zone as a placement constraint.", func(in *sdk.CreateServiceInput) { in.PlacementConstraints = zone }},
		{"no room", "maximumPercent <= 100 % as deployment configuration.", func(in *sdk.CreateServiceInput) { in.DeploymentConfiguration = percents(50, 100) }},
		{"external instances", "the EXTERNAL launch type.", func(in *sdk.CreateServiceInput) { in.LaunchType = "EXTERNAL" }},
		{"daemon", "DAEMON services", daemon},
		{"external controller", "the EXTERNAL deployment controller.", external},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newServer(t)
			s.cluster("default")
			s.define("web")
			want := "ENABLED"
			if c.obstacle != "" {
				want = "DISABLED"
			}
			same(t, "by default [D]", s.serve("s", "web", c.change).AvailabilityZoneRebalancing, want)
			if c.obstacle == "" {
				return
			}
			in := &sdk.CreateServiceInput{ServiceName: aws.String("t"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(1), AvailabilityZoneRebalancing: "ENABLED"}
			c.change(in)
			refusal(t, fails(s.CreateService(t.Context(), in)), "InvalidParameterException", "Availability Zone Rebalancing does not support "+c.obstacle)
		})
	}
}
