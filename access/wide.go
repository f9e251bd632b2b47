package access

import (
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// Wide is a statement that allows every action on every resource without a condition.
type Wide struct {
	Policy    string `json:"policy"`    // its name, or ARN
	Statement string `json:"statement"` // its Sid, or its place, counted from 1
}

// WideOf are the statements with which a role may do everything, none if its permissions boundary keeps it from that.
func (a *Access) WideOf(t *state.Tables, r *model.Role) ([]Wide, error) {
	ps, err := a.OfRole(t, r)
	if err != nil {
		return nil, err
	}
	if ps.Boundary != nil && len(ps.Boundary.Wide()) == 0 {
		return nil, nil
	}
	var out []Wide
	for _, p := range ps.Identity {
		out = append(out, wideIn(p)...)
	}
	return out, nil
}

func wideIn(p *policy.Policy) (out []Wide) {
	for _, i := range p.Wide() {
		out = append(out, Wide{p.Name, p.StatementName(i)})
	}
	return out
}
