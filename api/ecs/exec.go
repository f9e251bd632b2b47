package ecs

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// Exec opens a session with a command in a container of a task, for the caller that ctx knows. The container is "" if none was named.
type Exec func(ctx context.Context, t *model.Task, container, command string) (ExecSession, error)

// ExecSession is a session that waits for its client.
type ExecSession struct {
	Container            *model.Container // the one that was meant
	ID, StreamURL, Token string
}

// executeCommand opens a session that the session-manager-plugin then comes to (SEMANTICS §2.5, §13.8, AGENT-PROTOCOL §5.1).
func (a *api) executeCommand(ctx context.Context, in *sdk.ExecuteCommandInput) (*sdk.ExecuteCommandOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if a.Exec == nil {
		return nil, unsupported("Roadstead does not serve ExecuteCommand here.")
	}
	if !in.Interactive {
		return nil, invalid("Interactive is the only mode supported currently.") // [O]
	}
	t := a.DB.Snapshot().Tables
	cluster, err := activeCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	task, _, err := findTask(t, cluster, value(in.Task))
	if err != nil {
		return nil, err
	}
	if task == nil {
		return nil, errNoTask()
	}
	x, err := a.Exec(ctx, task, value(in.Container), value(in.Command))
	if err != nil {
		return nil, err
	}
	clusterARN, taskARN, containerARN := model.ClusterARN(task.Scope, task.Cluster), task.ARN(), task.ContainerARN(x.Container)
	return &sdk.ExecuteCommandOutput{
		ClusterArn: &clusterARN, TaskArn: &taskARN, ContainerArn: &containerARN, ContainerName: &x.Container.Name, Interactive: in.Interactive,
		Session: &types.Session{SessionId: &x.ID, StreamUrl: &x.StreamURL, TokenValue: &x.Token},
	}, nil
}

// managedAgents shows a container of a task that was started with execute command enabled. Nothing of ours runs in the container: its
// agent is as the container is.
func managedAgents(task *model.Task, c *model.Container) []types.ManagedAgent {
	if !task.ExecEnabled {
		return nil
	}
	agent := types.ManagedAgent{Name: types.ManagedAgentNameExecuteCommandAgent, LastStatus: &c.Status}
	if c.Status != model.TaskPending {
		agent.LastStartedAt = moment(task.StartedAt)
	}
	return []types.ManagedAgent{agent}
}
