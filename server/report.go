package server

import (
	"net/http"
	"slices"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// wideRole says with which statements a role may do everything, none if it may not, or is not there.
func (s *Server) wideRole(t *state.Tables, arn string) (out []string) {
	r := t.RoleByARN(arn)
	if r == nil {
		return nil
	}
	wide, err := s.access.WideOf(t, r)
	if err != nil {
		s.cfg.Log.Error("read the policies of a role", "role", arn, "err", err)
		return nil
	}
	for _, w := range wide {
		out = append(out, "statement "+w.Statement+" of the policy "+w.Policy)
	}
	return out
}

// roleReport is a role that may do everything, and who has it.
type roleReport struct {
	Role        string        `json:"role"`
	Statements  []access.Wide `json:"statements"`
	Definitions []string      `json:"definitions"` // ACTIVE revisions that name it, the newest of each family
	Tasks       int           `json:"tasks"`       // that are not STOPPED, of any of its revisions
}

// reportRoles lists the roles of the account that allow every action on every resource (MISSION row 82).
func (s *Server) reportRoles(_ *http.Request, p auth.Principal) (any, error) {
	t := s.db.Snapshot().Tables
	scope := model.Scope{Account: p.Account, Region: s.cfg.Region}
	out := []roleReport{}
	for r := range t.Roles.Prefix(p.Account + "/") {
		wide, err := s.access.WideOf(t, r)
		if err != nil {
			return nil, err
		}
		if len(wide) > 0 {
			out = append(out, roleReport{Role: r.ARN(), Statements: wide, Definitions: []string{}})
		}
	}
	if len(out) == 0 {
		return map[string]any{"roles": out}, nil
	}
	has := func(d *model.TaskDefinition, role string) bool {
		return slices.ContainsFunc([]*string{d.Spec.TaskRoleArn, d.Spec.ExecutionRoleArn}, func(arn *string) bool { return arn != nil && *arn == role })
	}
	for i := range out {
		o := &out[i]
		for f := range t.Families.Prefix(scope.Key("")) {
			newest := ""
			for d := range t.DefinitionsOf(scope, f.Name) {
				if d.Status == model.DefinitionActive && has(d, o.Role) {
					newest = d.Name()
				}
			}
			if newest != "" {
				o.Definitions = append(o.Definitions, newest)
			}
		}
		for task := range t.Tasks.Prefix(scope.Key("")) {
			if d, ok := t.Definition(scope, task.Definition); ok && task.Last != model.TaskStopped && has(d, o.Role) {
				o.Tasks++
			}
		}
	}
	return map[string]any{"roles": out}, nil
}
