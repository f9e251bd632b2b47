package ecs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ServiceStory is what is known of a service, and why it is not steady.
type ServiceStory struct {
	ServiceArn  string             `json:"serviceArn"`
	Status      string             `json:"status"`
	Scheduling  string             `json:"schedulingStrategy"`
	Desired     int32              `json:"desiredCount"`
	Running     int32              `json:"runningCount"`
	Pending     int32              `json:"pendingCount"`
	SteadySince model.Millis       `json:"steadySince,omitempty"` // 0 if it is not steady
	Why         []string           `json:"why"`                   // what it waits for, and which bound is in the way: sentences
	NextLook    model.Millis       `json:"nextLook,omitempty"`    // when something changes by time alone
	Deployments []DeploymentStory  `json:"deployments"`           // those in its list, the PRIMARY one first
	Failures    []TaskFailureStory `json:"failures"`              // the newest tasks that it did not stop itself, newest first
	Messages    []Moment           `json:"messages"`              // the newest, newest first
}

// DeploymentStory is how far a deployment is.
type DeploymentStory struct {
	ID             string       `json:"id"` // ecs-svc/...
	Status         string       `json:"status"`
	Rollout        string       `json:"rolloutState"`
	Reason         string       `json:"rolloutStateReason"`
	TaskDefinition string       `json:"taskDefinition"` // FAMILY:REVISION
	Running        int32        `json:"runningCount"`
	Pending        int32        `json:"pendingCount"`
	Failed         int32        `json:"failedTasks"`
	Stage          string       `json:"lifecycleStage,omitempty"`
	RetryAt        model.Millis `json:"retryAt,omitempty"` // when the next task may be started after failures
}

// TaskFailureStory is how a task of the service ended.
type TaskFailureStory struct {
	TaskID     string           `json:"taskId"`
	Definition string           `json:"taskDefinition"`
	At         model.Millis     `json:"at"`
	Why        string           `json:"why"`
	Containers []ContainerStory `json:"containers"`
}

// How much of its past a service's story has.
const (
	storyFailures = 5
	storyMessages = 10
)

// Service tells the story of a service, by name or ARN; cluster is a name or ARN, "" for default. A service that is not there
// is a ServiceNotFoundException.
func (p *Planner) Service(ctx context.Context, cluster, ref string) (*ServiceStory, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := p.api.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), &cluster)
	if err != nil {
		return nil, err
	}
	s, err := mustService(t, c, &ref)
	if err != nil {
		return nil, err
	}
	n := countTasks(t, s)
	out := &ServiceStory{ServiceArn: s.ARN(), Status: s.Status, Scheduling: s.Scheduling, Desired: s.Desired, Running: n.all.running,
		Pending: n.all.pending, SteadySince: s.Steady, Why: []string{}, Deployments: deploymentStories(t, s, n), Failures: failureStories(t, s),
		Messages: []Moment{}}
	said := messageViews(t, s)
	for _, m := range said[:min(storyMessages, len(said))] {
		out.Messages = append(out.Messages, Moment{m.CreatedAt.UnixMilli(), *m.Message})
	}
	if p.api.ServiceWhy == nil || s.Status == model.ServiceInactive {
		return out, nil
	}
	err = p.api.DB.Try(ctx, func(tx *state.Tx) error {
		why, next := p.api.ServiceWhy(tx, s.Key(), p.api.Now())
		out.Why, out.NextLook = list(why), next
		return nil
	})
	return out, err
}

func deploymentStories(t *state.Tables, s *model.Service, n serviceCount) []DeploymentStory {
	out := []DeploymentStory{}
	for d := range t.DeploymentsOf(s) {
		if d.Status == model.DeploymentInactive {
			continue
		}
		_, retry := d.StartTrouble()
		x := DeploymentStory{ID: d.Name(), Status: d.Status, Rollout: d.Rollout, Reason: d.RolloutReason, Running: n.by[d.ID].running,
			Pending: n.by[d.ID].pending, Failed: d.FailedTasks, RetryAt: retry}
		if r, ok := t.Revisions.Get(d.Key()); ok {
			x.TaskDefinition = r.Definition
		}
		if d.Stage != nil {
			x.Stage = d.Stage.Name
		}
		out = append(out, x)
	}
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b DeploymentStory) int { return rank(a.Status) - rank(b.Status) })
	return out
}

// failureStories are the newest ends of tasks that the service did not want.
func failureStories(t *state.Tables, s *model.Service) []TaskFailureStory {
	var ended []*model.Task
	for task := range t.TasksOf(s.Scope, s.Cluster) {
		if task.Service() == s.Name && task.CreatedAt >= s.CreatedAt && task.Last == model.TaskStopped && task.StopCode != model.StopServiceSchedulerInitiated {
			ended = append(ended, task)
		}
	}
	slices.SortFunc(ended, func(a, b *model.Task) int { return cmp.Compare(b.StoppedAt, a.StoppedAt) })
	out := []TaskFailureStory{}
	for _, task := range ended[:min(storyFailures, len(ended))] {
		out = append(out, TaskFailureStory{task.ID, task.Definition, task.StoppedAt, why(t, task), containerStories(task)})
	}
	return out
}

// ServiceWhy says why a service is not steady, in sentences, and when it changes by time alone, 0 for never.
type ServiceWhy func(tx *state.Tx, serviceKey string, now time.Time) (why []string, next model.Millis)
