package policy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Message is what AWS tells the caller of a refusal, "" if there is none: "User: ARN is not authorized to perform: ACTION on
// resource: RESOURCE because no identity-based policy allows the ACTION action" [D]. Services that have a resource say so, and
// "*" for actions about none [O]; only a Request without a Resource leaves it out.
func (d Decision) Message(r *Request) string {
	if d.Allowed {
		return ""
	}
	if d.trust && r.Principal.Kind == Root && strings.EqualFold(r.Action, "sts:AssumeRole") {
		return "Roles may not be assumed by root accounts." // [O]
	}
	text := "User: " + r.Principal.name() + " is not authorized to perform: " + r.Action
	if r.Resource != "" {
		text += " on resource: " + r.Resource
	}
	if d.Explicit {
		return text + " with an explicit deny in " + d.article() + d.noun()
	}
	return text + " because no " + d.noun() + " allows the " + r.Action + " action"
}

// Err is the refusal as services return it: AccessDeniedException with Message; nil if there is none.
func (d Decision) Err(r *Request) error {
	if d.Allowed {
		return nil
	}
	return &model.Error{Code: "AccessDeniedException", Message: d.Message(r)}
}

func (d Decision) noun() string {
	if d.Layer == ByResource && d.trust {
		return "role trust policy"
	}
	return [...]string{"identity-based policy", "permissions boundary", "session policy", "resource-based policy", ""}[d.Layer]
}

func (d Decision) article() string {
	switch {
	case d.Layer == ByIdentity:
		return "an "
	case d.Layer == ByResource && d.trust:
		return "the "
	}
	return "a "
}

// Explain says for an operator what decided: "allowed by statement ReadOnly of the identity-based policy tasks", "refused: no
// permissions boundary allows it".
func (d Decision) Explain() string {
	switch {
	case d.Allowed && d.Layer == ByRoot:
		return "allowed: the root user in its own account"
	case d.Policy == nil:
		return "refused: no " + d.noun() + " allows it"
	case !d.Allowed:
		return "denied by " + d.Policy.label(d.Statement, d.noun())
	}
	text := "allowed by " + d.Policy.label(d.Statement, d.noun())
	if d.With != nil {
		d.Layer = ByResource
		text += ", and by " + d.With.label(d.WithStatement, d.noun())
	}
	return text
}

// label names a statement and its policy: the statement by its Sid, or by its place, counted from 1.
func (p *Policy) label(statement int, noun string) string {
	return "statement " + p.StatementName(statement) + " of the " + noun + " " + p.Name
}

// StatementName is how a statement is called: by its Sid, or by its place, counted from 1.
func (p *Policy) StatementName(statement int) string {
	if sid := p.statements[statement].sid; sid != "" {
		return sid
	}
	return strconv.Itoa(statement + 1)
}

// Near says which statements are about the action and would allow it, and what keeps each from it: what somebody has to look at
// who was refused for want of an Allow.
func Near(r *Request, ps *Policies) []string {
	q := newQuery(r, ps)
	var lines []string
	ps.each(r.Principal, func(l Layer, p *Policy) {
		noun := Decision{Layer: l, trust: p.kind == Trust}.noun()
		for i := range p.statements {
			if s := &p.statements[i]; s.allow && s.acts(r.Action) {
				if why := q.short(l, p, s); why != "" {
					lines = append(lines, p.label(i, noun)+": "+why)
				}
			}
		}
	})
	return lines
}

// short says what a statement lacks, "" if nothing.
func (q *query) short(l Layer, p *Policy, s *statement) string {
	if q.reaches(l, p, s) == nobody {
		return "it is not about " + q.Principal.name()
	}
	if !s.covers(q.resource, q.context) {
		return "it is not about " + q.resource
	}
	c := s.unmet(q.context)
	if c == nil {
		return ""
	}
	values := q.context.get(c.key)
	if len(values) == 0 {
		return c.name + " does not hold: there is none"
	}
	return fmt.Sprintf("%s does not hold: it is %s", c.name, strings.Join(values, ", "))
}
