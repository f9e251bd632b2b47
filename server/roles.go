package server

import (
	"time"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
)

// roleLife is how long credentials of a task's role are good at most (SEMANTICS §11.6) [D].
const roleLife = 6 * time.Hour

// assumeForTask issues credentials of a role for a task: as the service ecs-tasks, for the task's ARN, by the task's id as the name of
// the session. Those of its own role end with the task; with those of the execution role its node works on a little longer.
func (s *Server) assumeForTask(t *state.Tables, r session.Role) (acs.RoleCreds, error) {
	q := &access.Assumption{
		RoleARN: r.ARN, SessionName: r.Task.ID, Duration: roleLife, Now: s.cfg.Now(),
		Service: "ecs-tasks.amazonaws.com", SourceARN: r.Task.ARN(),
	}
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
