package deployment

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/model"
)

// Words of the SDK's enumerations.
const (
	hookPause    = "PAUSE"
	hookContinue = "CONTINUE" // the action at a timeout; the other one is ROLLBACK
)

// hookTimeout is how many minutes a hook may take if its configuration does not say so (SEMANTICS §9) [D].
const hookTimeout = 1440

// beginHooks calls the hooks of the stage, all at once [D]: pauses await an answer, targets are asked by package hooks. On the
// way back nobody pauses.
func (w *stageWalk) beginHooks() {
	w.stage.Hooks = nil
	for i := range w.deployment.Configuration.LifecycleHooks {
		spec := &w.deployment.Configuration.LifecycleHooks[i]
		pause := spec.TargetType == hookPause
		if w.stage.Back && pause || !w.hasStage(i) {
			continue
		}
		timeout := minutes(nil, hookTimeout)
		if spec.TimeoutConfiguration != nil {
			timeout = minutes(spec.TimeoutConfiguration.TimeoutInMinutes, hookTimeout)
		}
		h := model.Hook{ID: w.hookID(i, pause), Index: i, Status: model.HookInProgress, CallAt: w.now, ExpiresAt: w.after(timeout)}
		if pause {
			h.Status, h.CallAt = model.HookAwaitingAction, 0
		}
		w.stage.Hooks = append(w.stage.Hooks, h)
		w.tell(h)
	}
}

// hasStage reports whether the configured hook is one of the stage.
func (w *stageWalk) hasStage(hook int) bool {
	for _, stage := range w.deployment.Configuration.LifecycleHooks[hook].LifecycleStages {
		if string(stage) == w.stage.Name {
			return true
		}
	}
	return false
}

// hookID is the hook's id, different in each step and on the way back, but the same whenever it is asked for.
func (w *stageWalk) hookID(index int, pause bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d/%t/%d", w.deployment.ARN(), w.stage.Name, w.stage.Step, w.stage.Back, index))
	if pause {
		return "ecs-pause-" + base64.RawURLEncoding.EncodeToString(sum[:]) // [O]
	}
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // a UUID of version 8
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// expireHooks ends the hooks whose time is up.
func (w *stageWalk) expireHooks() {
	for i := range w.stage.Hooks {
		if h := &w.stage.Hooks[i]; !h.Ended() && w.now >= h.ExpiresAt {
			h.Status = model.HookTimedOut
		}
	}
}

// tellHooks makes known which hooks have ended.
func (w *stageWalk) tellHooks() {
	for i := range w.stage.Hooks {
		if h := &w.stage.Hooks[i]; h.Ended() && !h.Told {
			h.Told = true
			w.tell(*h)
		}
	}
}

func (w *stageWalk) tell(h model.Hook) {
	kind := "INFO"
	if h.Status == model.HookFailed || h.Status == model.HookTimedOut {
		kind = "ERROR" // [I]
	}
	w.happened = append(w.happened, Happening{Type: kind, Name: "HOOK_" + h.Status, Deployment: w.deployment.ID, Hook: &h, Stage: w.stage.Name})
}

func (w *stageWalk) hooksEnded() bool {
	return !slices.ContainsFunc(w.stage.Hooks, func(h model.Hook) bool { return !h.Ended() })
}

// failedHooks says which hooks of the stage want the deployment to be given up, "" if none does. One that times out does,
// unless its configuration lets the deployment continue.
func (w *stageWalk) failedHooks() string {
	var reasons []string
	for i := range w.stage.Hooks {
		h := &w.stage.Hooks[i]
		spec := w.deployment.HookSpec(h)
		switch {
		case h.Status == model.HookFailed && h.Reason != "":
			reasons = append(reasons, h.Reason)
		case h.Status == model.HookFailed && spec.TargetType == hookPause:
			reasons = append(reasons, "Lifecycle hook "+h.ID+" was answered with ROLLBACK.") // [I]
		case h.Status == model.HookFailed:
			reasons = append(reasons, "Lifecycle hook target "+aws.ToString(spec.HookTargetArn)+" returned FAILED status.") // [O]
		case h.Status == model.HookTimedOut && (spec.TimeoutConfiguration == nil || spec.TimeoutConfiguration.Action != hookContinue):
			reasons = append(reasons, "Lifecycle hook "+h.ID+" timed out.") // [I]
		}
	}
	if reasons == nil {
		return ""
	}
	return "Service deployment rolled back because " + w.stage.Name + " lifecycle hook(s) failed. " + strings.Join(reasons, " ") // [O]
}

// hookWaits says which hooks the stage waits for.
func (w *stageWalk) hookWaits() []string {
	var out []string
	for i := range w.stage.Hooks {
		switch h := &w.stage.Hooks[i]; h.Status {
		case model.HookAwaitingAction:
			out = append(out, "hook "+h.ID+" waits for ContinueServiceDeployment until "+clock(h.ExpiresAt))
		case model.HookInProgress:
			out = append(out, "hook "+h.ID+" ("+aws.ToString(w.deployment.HookSpec(h).HookTargetArn)+") has not succeeded yet")
		}
	}
	return out
}
