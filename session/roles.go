package session

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Role is a wish for credentials of a role that a task definition names (SEMANTICS §11.6).
type Role struct {
	Task *model.Task
	ARN  string
	// Execution: the role is the one with which the node works for the task; else the task's own.
	Execution bool
}

// The roleTypes of IAMRoleCredentialsMessage (AGENT-PROTOCOL §1.2) [O].
const (
	roleApplication = "TaskApplication"
	roleExecution   = "TaskExecution"
)

// roleRetry is when a renewal that failed is tried again.
const roleRetry = time.Minute

// unassumable says that a task cannot start for a role.
type unassumable struct {
	role string
	err  error
}

// Error is the task's stoppedReason.
func (u *unassumable) Error() string { return definition.Unassumable(u.role) }

func (u *unassumable) Unwrap() error { return u.err }

// roles are credentials for a task, nil for a role that its definition does not name or that cannot be assumed now.
type roles struct {
	own, execution *acs.RoleCreds
	missing        bool // one cannot be assumed
}

// assume gets the credentials of the roles that a task's effective definition names, nil for none. A role that cannot be assumed keeps a task from
// starting; one that was started keeps what it has.
func (s *Sessions) assume(t *state.Tables, task *model.Task, ownARN, executionARN *string) (r roles, err error) {
	get := func(arn *string, execution bool) (*acs.RoleCreds, error) {
		if arn == nil || *arn == "" || s.cfg.Role == nil {
			return nil, nil
		}
		c, err := s.cfg.Role(t, Role{task, *arn, execution})
		switch {
		case err == nil:
			return &c, nil
		case task.StartedAt == 0:
			return nil, &unassumable{*arn, err}
		}
		r.missing = true
		s.cfg.Log.Warn("assume the role of a task that runs", "task", task.ID, "role", *arn, "err", err)
		return nil, nil
	}
	if r.own, err = get(ownARN, false); err == nil {
		r.execution, err = get(executionARN, true)
	}
	return r, err
}

// noteRoles notes when the credentials that a task was sent are to be renewed: when two thirds of their life are over, or soon if
// some could not be sent.
func (x *session) noteRoles(key string, sent roles) {
	now := time.Now()
	by := func(at time.Time) {
		if old, ok := x.renewals[key]; !ok || at.Before(old) {
			x.renewals[key] = at
		}
	}
	if sent.missing {
		by(now.Add(roleRetry))
	}
	for _, c := range []*acs.RoleCreds{sent.own, sent.execution} {
		if c == nil {
			continue
		}
		if expires, err := time.Parse(time.RFC3339, c.Expiration); err == nil {
			by(now.Add(max(expires.Sub(now)*2/3, roleRetry)))
		}
	}
}

// waitForRoles finds the renewal that is due first.
func (x *session) waitForRoles() {
	x.renewAt = time.Time{}
	for _, at := range x.renewals {
		if x.renewAt.IsZero() || at.Before(x.renewAt) {
			x.renewAt = at
		}
	}
}

// renewRoles sends newer credentials to the tasks whose time has come, and forgets those that are over.
func (x *session) renewRoles(ctx context.Context) error {
	snap, now := x.s.cfg.DB.Snapshot(), time.Now()
	for key, at := range x.renewals {
		if now.Before(at) {
			continue
		}
		delete(x.renewals, key)
		t, ok := snap.Tasks.Get(key)
		if !ok || t.Last == model.TaskStopped || t.InstanceKey() != x.key {
			continue
		}
		if err := x.renewRole(ctx, snap.Tables, t); err != nil {
			return err
		}
	}
	x.waitForRoles()
	return nil
}

func (x *session) renewRole(ctx context.Context, t *state.Tables, task *model.Task) error {
	row, err := definitionOf(t, task)
	if err != nil {
		return nil // the next payload says so
	}
	def, err := definition.Effective(row, task)
	if err != nil {
		return nil // as above
	}
	r, err := x.s.assume(t, task, def.TaskRoleArn, def.ExecutionRoleArn)
	if err != nil {
		return nil // it has not started: as above
	}
	for kind, c := range map[string]*acs.RoleCreds{roleApplication: r.own, roleExecution: r.execution} {
		if c == nil {
			continue
		}
		err := x.conn.Send(ctx, acs.IAMRoleCredentialsMessage{
			MessageID: x.s.cfg.NewID(), TaskArn: task.ARN(), ClusterArn: model.ClusterARN(task.Scope, task.Cluster), RoleType: kind, Credentials: *c,
		})
		if err != nil {
			return err
		}
	}
	x.noteRoles(task.Key(), r)
	return nil
}
