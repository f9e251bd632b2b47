package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Position is a place in a document, counted from 1 in lines and characters.
type Position struct{ Line, Column int }

func positionAt(text string, offset int64) Position {
	before := text[:offset]
	line := strings.LastIndexByte(before, '\n') + 1
	return Position{Line: 1 + strings.Count(before, "\n"), Column: 1 + utf8.RuneCountInString(before[line:])}
}

// Match is a statement that applies to a request.
type Match struct {
	Layer     Layer
	Policy    *Policy
	Statement int
	Allow     bool
	// Begin is its brace in the document, End the place behind the other one.
	Begin, End Position
}

// Matches returns all statements that apply to a request, in the order of the layers: what SimulatePrincipalPolicy shows, where
// Decide is content with the one that decides.
func Matches(r *Request, ps *Policies) []Match {
	q := newQuery(r, ps)
	var out []Match
	ps.each(r.Principal, func(l Layer, p *Policy) {
		for i := range p.statements {
			s := &p.statements[i]
			if s.acts(r.Action) && q.reaches(l, p, s) > nobody && s.covers(q.resource, q.context) && s.unmet(q.context) == nil {
				out = append(out, Match{Layer: l, Policy: p, Statement: i, Allow: s.allow, Begin: s.begin, End: s.end})
			}
		}
	})
	return out
}

// Missing returns the condition keys, in lower case and sorted, that the policies look at and the request does not have.
func Missing(r *Request, ps *Policies) []string {
	q := newQuery(r, ps)
	var out []string
	ps.each(r.Principal, func(_ Layer, p *Policy) {
		for _, key := range p.Keys() {
			if q.context.get(key) == nil {
				out = append(out, key)
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// each yields the policies that count for a principal, layer by layer.
func (ps *Policies) each(p *Principal, yield func(Layer, *Policy)) {
	if p.identities() {
		for _, one := range ps.Identity {
			yield(ByIdentity, one)
		}
		if ps.Boundary != nil {
			yield(ByBoundary, ps.Boundary)
		}
		for _, one := range ps.Session {
			yield(BySession, one)
		}
	}
	if ps.Resource != nil {
		yield(ByResource, ps.Resource)
	}
	if ps.Around != nil {
		yield(ByResource, ps.Around)
	}
}

// Wide returns the statements, by their index, that allow every action on every resource without a condition: what nobody
// should give a task (MISSION row 82).
func (p *Policy) Wide() []int {
	var out []int
	for i := range p.statements {
		s := &p.statements[i]
		if s.allow && !s.notActions && !s.notResources && len(s.conditions) == 0 && slices.ContainsFunc(s.actions, (pattern).any) &&
			slices.ContainsFunc(s.resources, (pattern).any) {
			out = append(out, i)
		}
	}
	return out
}

// any says whether it is nothing but stars.
func (p pattern) any() bool {
	return p.pieces == nil && p.shape != exact && strings.Trim(p.text, string([]byte{star})) == ""
}
