package hooks

import (
	"errors"
	"fmt"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// taskGroup begins the task group of the tasks that are hooks of a service's deployments.
const taskGroup = "hook:"

// isDefinition reports whether the target is the ARN of a task definition.
func isDefinition(target string) bool {
	arn, ok := model.ParseARN(target)
	return ok && arn.Service == "ecs" && strings.HasPrefix(arn.Tail, "task-definition/")
}

// deploymentOf returns the key of the deployment whose hook the task is, false if it is none.
func deploymentOf(t *model.Task) (key string, ok bool) {
	service, ok := strings.CutPrefix(t.Group, taskGroup)
	if !ok {
		return "", false // anybody may call a group that; but nobody else starts tasks by a deployment
	}
	id, by := strings.CutPrefix(t.StartedBy, model.DeploymentName(""))
	return model.DeploymentKey(t.Scope, t.Cluster, service, id), by
}

// task starts the task that is the hook, or looks how it has ended: SUCCEEDED if every essential container has exited with 0
// (SEMANTICS §9, our superset).
func (h *Hooks) task(tx *state.Tx, d *model.Deployment, hook model.Hook) (model.Hook, error) {
	target := targetOf(d, &hook)
	if hook.Task == "" {
		if hook.CallAt > h.now() {
			return hook, nil
		}
		id, err := h.launch(tx, d, target)
		var refused *model.Error
		switch {
		case errors.As(err, &refused):
			return failedf(hook, "Lifecycle hook target %s could not be run: %s", target, refused.Message), nil
		case err != nil:
			return hook, err
		case id == "":
			hook.CallAt = h.now() + again.Milliseconds()
		default:
			hook.Task, hook.Calls = id, 1
		}
		return hook, nil
	}
	t, ok := tx.Tasks.Get(model.TaskKey(d.Scope, d.Cluster, hook.Task))
	switch {
	case !ok:
		return failedf(hook, "Lifecycle hook target %s could not be run: its task %s is gone.", target, hook.Task), nil
	case t.Last != model.TaskStopped:
		return hook, nil
	}
	if reason := complaint(t); reason != "" {
		return failedf(hook, "Lifecycle hook target %s failed: task %s: %s.", target, t.ID, reason), nil
	}
	hook.Status = model.HookSucceeded
	return hook, nil
}

// complaint says why the stopped task is no success, "" if it is one.
func complaint(t *model.Task) string {
	if t.StopCode != model.StopEssentialContainerExited {
		return t.StopReason
	}
	for i := range t.Containers {
		switch c := &t.Containers[i]; {
		case !c.Essential:
		case !c.Exited:
			return fmt.Sprintf("container %s has no exit code", c.Name)
		case c.ExitCode != 0:
			return fmt.Sprintf("container %s exited with %d", c.Name, c.ExitCode)
		}
	}
	return ""
}

// dismiss stops a task whose hook is over.
func (h *Hooks) dismiss(tx *state.Tx, key string) {
	t, ok := tx.Tasks.Get(key)
	if !ok {
		return
	}
	deployment, ok := deploymentOf(t)
	if !ok {
		return
	}
	if d, ok := tx.Deployments.Get(deployment); ok && wants(d, t.ID) {
		return
	}
	if stopped, changed := t.Stop(model.StopServiceSchedulerInitiated, "The lifecycle hook is over.", h.now()); changed { // [I]
		tx.Tasks.Put(&stopped)
	}
}

// wants reports whether the task is a hook in progress of the deployment, if there is one.
func wants(d *model.Deployment, task string) bool {
	if d == nil || d.Stage == nil {
		return false
	}
	for i := range d.Stage.Hooks {
		if h := &d.Stage.Hooks[i]; h.Task == task && h.Status == model.HookInProgress {
			return true
		}
	}
	return false
}
