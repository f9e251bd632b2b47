package model

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Deployment strategies (SEMANTICS §8, §9). ROLLING, also if there is none, has no stages.
const (
	StrategyRolling   = "ROLLING"
	StrategyBlueGreen = "BLUE_GREEN"
	StrategyLinear    = "LINEAR"
	StrategyCanary    = "CANARY"
)

// Stages of a deployment, in their order (SEMANTICS §9).
const (
	StageReconcile          = "RECONCILE_SERVICE"
	StagePreScaleUp         = "PRE_SCALE_UP"
	StageScaleUp            = "SCALE_UP"
	StagePostScaleUp        = "POST_SCALE_UP"
	StageTestShift          = "TEST_TRAFFIC_SHIFT"
	StagePostTestShift      = "POST_TEST_TRAFFIC_SHIFT"
	StagePreProductionShift = "PRE_PRODUCTION_TRAFFIC_SHIFT"
	StageProductionShift    = "PRODUCTION_TRAFFIC_SHIFT"
	StagePostProduction     = "POST_PRODUCTION_TRAFFIC_SHIFT"
	StageBakeTime           = "BAKE_TIME"
	StageCleanUp            = "CLEAN_UP"
)

// Hook statuses.
const (
	HookInProgress     = "IN_PROGRESS"     // its target is being asked
	HookAwaitingAction = "AWAITING_ACTION" // a pause that nobody has answered yet
	HookSucceeded      = "SUCCEEDED"
	HookFailed         = "FAILED"
	HookTimedOut       = "TIMED_OUT"
)

// Stage is how far a deployment in stages is (SEMANTICS §9). Weights are percentages of the new revision.
type Stage struct {
	Name             string  `json:"name"` // RECONCILE_SERVICE ... CLEAN_UP
	Since            Millis  `json:"since"`
	Step             int32   `json:"step,omitempty"` // of the production traffic shift, from 0
	TestWeight       float64 `json:"testWeight"`
	ProductionWeight float64 `json:"productionWeight"`
	Hooks            []Hook  `json:"hooks,omitempty"` // of the stage and step
	// Blue is the id of the deployment and revision that the traffic is taken from, and goes back to; "" if there is none.
	Blue string `json:"blue,omitempty"`
	// Back says that the deployment is being rolled back: the stages of the traffic shifts are passed once more, the other way.
	Back bool `json:"back,omitempty"`
	// Over says that there is no stage after this one: the deployment has succeeded, or is rolled back.
	Over bool `json:"over,omitempty"`
}

// Hook is one hook of the stage that a deployment is in. Writers: controller/deploy begins it and lets it time out; api/ecs
// answers one that awaits action; package hooks does all the rest of one that is in progress.
type Hook struct {
	ID        string `json:"id"`
	Index     int    `json:"index"`  // in Configuration.LifecycleHooks
	Status    string `json:"status"` // IN_PROGRESS, AWAITING_ACTION, SUCCEEDED, FAILED, TIMED_OUT
	ExpiresAt Millis `json:"expiresAt,omitempty"`
	CallAt    Millis `json:"callAt,omitempty"`  // when the target is asked next
	Calls     int32  `json:"calls,omitempty"`   // that were answered
	Details   string `json:"details,omitempty"` // JSON object that the target's last answer wants back
	Task      string `json:"task,omitempty"`    // id of the task that is the hook
	Reason    string `json:"reason,omitempty"`  // of FAILED: a sentence
	Told      bool   `json:"told,omitempty"`    // its end has been made known. Writer: controller/deploy
}

// Ended reports whether nothing more is to be expected of the hook.
func (h *Hook) Ended() bool { return h.Status != HookInProgress && h.Status != HookAwaitingAction }

// Staged reports whether the deployment goes through the stages of SEMANTICS §9.
func (d *Deployment) Staged() bool {
	return d.Configuration != nil && d.Configuration.Strategy != "" && d.Configuration.Strategy != StrategyRolling
}

// HookSpec is the user's configuration of a hook of the deployment's stage.
func (d *Deployment) HookSpec(h *Hook) *types.DeploymentLifecycleHook {
	return &d.Configuration.LifecycleHooks[h.Index]
}

// BlueARN is the ARN of the revision that the deployment's traffic is taken from, "" if there is none.
func (d *Deployment) BlueARN() string {
	if d.Stage == nil || d.Stage.Blue == "" {
		return ""
	}
	return RevisionARN(d.Scope, d.Cluster, d.Service, d.Stage.Blue)
}

// WithHook returns the deployment with another state of one of its stage's hooks, known by its id; false if there is no such
// hook any more, or if it has ended.
func (d Deployment) WithHook(h Hook) (Deployment, bool) {
	if d.Stage == nil {
		return d, false
	}
	i := slices.IndexFunc(d.Stage.Hooks, func(have Hook) bool { return have.ID == h.ID && !have.Ended() })
	if i < 0 {
		return d, false
	}
	stage := *d.Stage
	stage.Hooks = slices.Clone(stage.Hooks)
	stage.Hooks[i] = h
	d.Stage = &stage
	return d, true
}
