package ecs

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// maxPauseMinutes is how long a hook may wait, two weeks (SEMANTICS §9) [D].
const maxPauseMinutes = 20160

// mergeHooks changes the lifecycle hooks, if there are any in the request: an empty list removes them.
func mergeHooks(c *types.DeploymentConfiguration, s model.Scope, news *types.DeploymentConfiguration) error {
	if news.LifecycleHooks != nil {
		c.LifecycleHooks = slices.Clone(news.LifecycleHooks)
		for i := range c.LifecycleHooks {
			if err := readHook(&c.LifecycleHooks[i], s); err != nil {
				return err
			}
		}
	}
	if c.Strategy != types.DeploymentStrategyRolling || len(c.LifecycleHooks) == 0 {
		return nil
	}
	if len(news.LifecycleHooks) > 0 {
		return invalid("lifecycleHooks are not supported for the ROLLING deployment strategy.") // [I]: it has no stages
	}
	c.LifecycleHooks = nil // of the strategy before
	return nil
}

// readHook checks a hook and fills in AWS's defaults: rules [D], wordings [I].
func readHook(h *types.DeploymentLifecycleHook, s model.Scope) error {
	if h.TargetType == "" {
		h.TargetType = types.DeploymentLifecycleHookTargetTypeAwsLambda
	}
	pause := h.TargetType == types.DeploymentLifecycleHookTargetTypePause
	switch {
	case !slices.Contains(h.TargetType.Values(), h.TargetType):
		return invalid("Invalid targetType '%s'. Valid values: %v", h.TargetType, h.TargetType.Values())
	case len(h.LifecycleStages) == 0:
		return invalid("lifecycleStages can not be empty.")
	case pause && value(h.HookTargetArn) != "":
		return invalid("hookTargetArn is not applicable for PAUSE hooks.")
	case !pause && !hookTarget(s, value(h.HookTargetArn)):
		return invalid("Invalid hookTargetArn '%s': it must be the ARN of a Lambda function or of a task definition, or an https:// URL.",
			value(h.HookTargetArn))
	}
	for _, stage := range h.LifecycleStages {
		switch {
		case !slices.Contains(stage.Values(), stage):
			return invalid("Invalid lifecycle stage '%s'. Valid values: %v", stage, stage.Values())
		case pause && (stage == types.DeploymentLifecycleHookStageTestTrafficShift || stage == types.DeploymentLifecycleHookStageProductionTrafficShift):
			return invalid("PAUSE hooks are not supported at the %s stage.", stage)
		}
	}
	return readTimeout(h, pause)
}

// readTimeout checks how long a hook may take; a PAUSE hook without a word about it waits for a day, and then rolls back [D].
func readTimeout(h *types.DeploymentLifecycleHook, pause bool) error {
	t := types.DeploymentLifecycleHookTimeoutConfiguration{}
	switch {
	case h.TimeoutConfiguration != nil:
		t = *h.TimeoutConfiguration
	case !pause:
		return nil
	}
	if t.Action == "" {
		t.Action = types.DeploymentLifecycleHookActionRollback
	}
	if t.TimeoutInMinutes == nil {
		t.TimeoutInMinutes = new(int32(maxBakeMinutes))
	}
	switch {
	case !slices.Contains(t.Action.Values(), t.Action):
		return invalid("Invalid timeout action '%s'. Valid values: %v", t.Action, t.Action.Values())
	case *t.TimeoutInMinutes < 1 || *t.TimeoutInMinutes > maxPauseMinutes:
		return invalid("timeoutInMinutes must be between 1 and %d.", maxPauseMinutes)
	}
	h.TimeoutConfiguration = &t
	return nil
}

// hookTarget reports whether a hook can be asked there: a Lambda function by the shape of its ARN, and, which AWS does not
// have, an https:// URL or a task definition of the scope (SEMANTICS §9).
func hookTarget(s model.Scope, target string) bool {
	if rest, ok := strings.CutPrefix(target, "https://"); ok {
		return rest != "" && rest[0] != '/'
	}
	arn, ok := model.ParseARN(target)
	switch {
	case !ok:
		return false
	case arn.Service == "lambda":
		return strings.HasPrefix(arn.Tail, "function:")
	}
	return parseDefinitionRef(s, target).family != ""
}
