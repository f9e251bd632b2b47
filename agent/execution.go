package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

// How long the node waits for the credentials of an execution role, and how often it looks: after a restart they come with the
// connection to the control plane.
const (
	rolePatience = 15 * time.Second
	roleLook     = 100 * time.Millisecond
)

// executing returns a client that calls with the execution role of the task with the ARN (SEMANTICS §11.6), and until when it is
// good. It is the node's own for a task without one, and for one that is not here any more.
func (a *Agent) executing(ctx context.Context, taskARN string) (*client.Client, time.Time, error) {
	role, err := a.awaitRole(ctx, func() *acs.RoleCreds { return a.executionRole(taskARN) })
	if err != nil {
		return nil, time.Time{}, err
	}
	if role == nil {
		return a.client, time.Time{}, nil
	}
	until, err := time.Parse(time.RFC3339, role.Expiration)
	if err != nil {
		return nil, until, fmt.Errorf("credentials of the execution role %s: %w", role.RoleArn, err)
	}
	return a.client.As(role.AccessKeyID, role.SecretAccessKey, role.SessionToken), until, nil
}

// awaitRole waits until a role has its credentials. It is nil if there is none.
func (a *Agent) awaitRole(ctx context.Context, get func() *acs.RoleCreds) (*acs.RoleCreds, error) {
	deadline := time.Now().Add(rolePatience)
	for {
		role := get()
		if role == nil || role.AccessKeyID != "" {
			return role, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the credentials of the role %s have not come yet", role.RoleArn)
		}
		select {
		case <-time.After(roleLook):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// executionRole is that of the task with the ARN, nil if there is none.
func (a *Agent) executionRole(taskARN string) *acs.RoleCreds { return a.roleOf(taskARN, true) }

// roleOf is a role of the task with the ARN or the id: its execution role or its own.
func (a *Agent) roleOf(taskARN string, execution bool) *acs.RoleCreds {
	e := a.engine.Load()
	if e == nil || taskARN == "" {
		return nil
	}
	v, ok := e.Get(taskARN)
	if !ok {
		return nil
	}
	if execution {
		return v.Task.ExecutionRole
	}
	return v.Task.RoleCredentials
}
