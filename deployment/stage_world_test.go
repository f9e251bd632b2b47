package deployment_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/deployment"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/test/scenario"
)

// configureStages reads what a line says about a strategy with stages.
func (w *world) configureStages(c *scenario.Call, d *types.DeploymentConfiguration) {
	number := func(key string) *int32 {
		if n := c.Int(key, -1); n >= 0 {
			return percent(n)
		}
		return nil
	}
	share := func(key string) *float64 {
		if f, err := strconv.ParseFloat(c.Text(key, ""), 64); err == nil {
			return &f
		}
		return nil
	}
	if p, n := share("step"), number("stepbake"); p != nil || n != nil {
		d.LinearConfiguration = &types.LinearConfiguration{StepPercent: p, StepBakeTimeInMinutes: n}
	}
	if p, n := share("canary"), number("canarybake"); p != nil || n != nil {
		d.CanaryConfiguration = &types.CanaryConfiguration{CanaryPercent: p, CanaryBakeTimeInMinutes: n}
	}
}

func (w *world) hookVerb(c *scenario.Call) {
	h := types.DeploymentLifecycleHook{TargetType: types.DeploymentLifecycleHookTargetTypePause}
	if target := c.Arg(); target != "pause" {
		h = types.DeploymentLifecycleHook{HookTargetArn: aws.String(target)}
	}
	for stage := range strings.SplitSeq(c.Arg(), ",") {
		h.LifecycleStages = append(h.LifecycleStages, types.DeploymentLifecycleHookStage(stage))
	}
	w.configure(func(d *types.DeploymentConfiguration) { d.LifecycleHooks = append(slices.Clone(d.LifecycleHooks), h) })
}

func showStage(s *model.Stage) string {
	if s == nil {
		return ""
	}
	text := fmt.Sprintf(" [%s%s%s test %v, production %v", s.Name, flag(" back", s.Back), flag(" over", s.Over), s.TestWeight, s.ProductionWeight)
	for _, h := range s.Hooks {
		text += ", hook " + h.Status
	}
	return text + "]"
}

func sprintHook(h deployment.Happening) string { return " in " + h.Stage }
