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
	deadline := time.Now().Add(rolePatience)
	for {
		role := a.executionRole(taskARN)
		if role == nil {
			return a.client, time.Time{}, nil
		}
		if role.AccessKeyID != "" {
			until, err := time.Parse(time.RFC3339, role.Expiration)
			if err != nil {
				return nil, until, fmt.Errorf("credentials of the execution role %s: %w", role.RoleArn, err)
			}
			return a.client.As(role.AccessKeyID, role.SecretAccessKey, role.SessionToken), until, nil
		}
		if time.Now().After(deadline) {
			return nil, time.Time{}, fmt.Errorf("the credentials of the execution role %s have not come yet", role.RoleArn)
		}
		select {
		case <-time.After(roleLook):
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
	}
}

// executionRole is that of the task with the ARN, nil if there is none.
func (a *Agent) executionRole(taskARN string) *acs.RoleCreds {
	e := a.engine.Load()
	if e == nil || taskARN == "" {
		return nil
	}
	v, ok := e.Get(taskARN)
	if !ok {
		return nil
	}
	return v.Task.ExecutionRole
}
