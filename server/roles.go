package server

import (
	"time"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
)

// roleLife is how long credentials of a task's role are good at most (SEMANTICS §11.6) [D].
const roleLife = 6 * time.Hour

// assumeForTask issues credentials of a role for a task: as the service ecs-tasks, for the task's ARN, by the task's id as the name of
// the session. Those of its own role end with the task; with those of the execution role its node works on a little longer.
func (s *Server) assumeForTask(t *state.Tables, r session.Role) (acs.RoleCreds, error) {
	q := s.forTask(r.ARN, r.Task.ARN())
	q.SessionName, q.Duration = r.Task.ID, roleLife
	kind := "execution role of "
	if !r.Execution {
		kind, q.Task = "role of ", r.Task.ARN()
	}
	c, _, err := s.access.Assume(t, s.tokens, q)
	if err != nil {
		return acs.RoleCreds{}, err
	}
	return acs.RoleCreds{
		CredentialsID: s.tokens.Name(kind + r.Task.ARN()), RoleArn: r.ARN,
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.Secret, SessionToken: c.Token, Expiration: c.Expires.Format(time.RFC3339),
	}, nil
}

// forTask is the wish of ECS to be a role for a task.
func (s *Server) forTask(role, task string) *access.Assumption {
	return &access.Assumption{RoleARN: role, Now: s.cfg.Now(), Service: "ecs-tasks.amazonaws.com", SourceARN: task}
}

// trustsTasks says whether ECS may be a role for tasks that are not there yet: no trust policy can name one of them. Where roles that
// may do everything are denied, it may not be one of these.
func (s *Server) trustsTasks(t *state.Tables, c *model.Cluster, role string) bool {
	if s.cfg.DenyWideRoles && len(s.wideRole(t, role)) > 0 {
		return false
	}
	return s.access.Trusts(t, s.forTask(role, c.Scope.ARN("ecs", "task/"+c.Name+"/"+newID()))) == nil
}
