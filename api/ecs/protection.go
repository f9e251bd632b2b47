package ecs

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// How long protection may last, and lasts without a word about it (SEMANTICS §2.5) [D].
const (
	protectionMinutes    = 120
	maxProtectionMinutes = 2880
)

// updateTaskProtection protects tasks of services from being stopped by their service, or takes that back. Each call sets a new
// end (SEMANTICS §2.5, §8.11).
func (a *api) updateTaskProtection(ctx context.Context, in *sdk.UpdateTaskProtectionInput) (*sdk.UpdateTaskProtectionOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Tasks", len(in.Tasks), 10); err != nil {
		return nil, err
	}
	minutes := int32(protectionMinutes)
	if in.ExpiresInMinutes != nil {
		minutes = *in.ExpiresInMinutes
	}
	if minutes < 1 || minutes > maxProtectionMinutes {
		return nil, invalid("expiresInMinutes must be between 1 and %d.", maxProtectionMinutes) // [I]; the range is [D]
	}
	now := a.nowMillis()
	until := model.Millis(0)
	if in.ProtectionEnabled {
		until = now + model.Millis(minutes)*60_000
	}
	var out *sdk.UpdateTaskProtectionOutput
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		c, err := activeCluster(tx.Tables, who.Scope(), in.Cluster)
		if err != nil {
			return err
		}
		out = &sdk.UpdateTaskProtectionOutput{}
		tasks, failures, err := protectable(tx.Tables, c, in.Tasks, who, "UpdateTaskProtection")
		if err != nil {
			return err
		}
		out.Failures, out.ProtectedTasks = failures, []types.ProtectedTask{}
		for _, t := range tasks {
			if until > 0 && t.ProtectedUntil <= now && blocked(tx.Tables, t, now) {
				out.Failures = append(out.Failures, failure(t.ARN(), "DEPLOYMENT_BLOCKED", ""))
				continue
			}
			row := *t
			row.ProtectedUntil = until
			tx.Tasks.Put(&row)
			out.ProtectedTasks = append(out.ProtectedTasks, viewProtection(&row, now))
		}
		return nil
	})
	return out, err
}

// getTaskProtection says until when tasks are protected; what has passed is over (SEMANTICS §8.11).
func (a *api) getTaskProtection(ctx context.Context, in *sdk.GetTaskProtectionInput) (*sdk.GetTaskProtectionOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Tasks", len(in.Tasks), 100); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	tasks, failures, err := protectable(t, c, in.Tasks, who, "GetTaskProtection")
	if err != nil {
		return nil, err
	}
	out := &sdk.GetTaskProtectionOutput{Failures: failures, ProtectedTasks: []types.ProtectedTask{}}
	for _, task := range tasks {
		out.ProtectedTasks = append(out.ProtectedTasks, viewProtection(task, a.nowMillis()))
	}
	return out, nil
}

// protectable returns the tasks that can be protected, each once: those of services that are not over (SEMANTICS §1.4). A node may
// only name tasks of its own.
func protectable(t *state.Tables, c *model.Cluster, refs []string, who auth.Principal, op string) ([]*model.Task, []types.Failure, error) {
	var tasks []*model.Task
	failures := []types.Failure{}
	seen := map[string]bool{}
	for _, ref := range refs {
		task, m, err := findTask(t, c, ref)
		if task != nil {
			node, _ := t.Instances.Get(task.InstanceKey())
			err = auth.AllowedOn(who, "ecs", op, task, node)
		}
		switch {
		case err != nil:
			return nil, nil, err
		case task == nil:
			failures = append(failures, missing(m.arn(model.TaskARN, c)))
		case task.Service() == "" || task.Last == model.TaskStopped || task.Desired == model.TaskStopped:
			failures = append(failures, failure(task.ARN(), "TASK_NOT_VALID", ""))
		case !seen[task.ID]:
			seen[task.ID] = true
			tasks = append(tasks, task)
		}
	}
	return tasks, failures, nil
}

// blocked reports whether the task's service would have more protected tasks than it wants if the task were one of them: its
// deployments could not end (SEMANTICS §1.4) [D].
func blocked(t *state.Tables, task *model.Task, now model.Millis) bool {
	key := model.ServiceKey(task.Scope, task.Cluster, task.Service())
	s, ok := t.Services.Get(key)
	if !ok {
		return false
	}
	n := int32(0)
	for other := range t.TasksOfService(key) {
		if other.Last != model.TaskStopped && other.ProtectedUntil > now {
			n++
		}
	}
	return n >= s.Desired
}

func viewProtection(t *model.Task, now model.Millis) types.ProtectedTask {
	v := types.ProtectedTask{TaskArn: text(t.ARN()), ProtectionEnabled: t.ProtectedUntil > now}
	if v.ProtectionEnabled {
		v.ExpirationDate = moment(t.ProtectedUntil)
	}
	return v
}
