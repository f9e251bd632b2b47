package policy

import (
	"slices"
	"strings"
)

// The versions of the language. Without one it is the older [D], which has no variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Policy is a policy document, checked and made ready for decisions. It is immutable.
type Policy struct {
	Name       string // for explanations: the policy's name or ARN
	kind       Kind
	statements []statement
}

// Kind is the kind that the document was checked as.
func (p *Policy) Kind() Kind { return p.kind }

type statement struct {
	sid          string
	allow        bool
	actions      []pattern // in lower case
	notActions   bool
	resources    []pattern
	notResources bool
	everywhere   bool // it has no Resource: that of its policy is meant
	principals   principals
	conditions   []condition
	begin, end   Position
}

// Parse reads a document of a kind and checks what AWS checks when a policy is stored. Its error is a *model.Error with the code
// MalformedPolicyDocument, or LimitExceeded for one that is too long by itself.
func Parse(kind Kind, name, text string) (*Policy, error) {
	if err := kind.checkSize(text); err != nil {
		return nil, err
	}
	d, err := readDocument(text)
	if err != nil {
		return nil, malformed("Syntax errors in policy.")
	}
	if err := d.check(kind); err != nil {
		return nil, err
	}
	p := &Policy{Name: name, kind: kind, statements: make([]statement, len(d.statements))}
	for i := range d.statements {
		w := &d.statements[i]
		p.statements[i] = w.compile(d.version == version2012)
		p.statements[i].begin, p.statements[i].end = positionAt(text, w.from), positionAt(text, w.to)
	}
	return p, nil
}

// Empty is a policy of a kind that says nothing: nobody may anything by it.
func Empty(kind Kind, name string) *Policy { return &Policy{Name: name, kind: kind} }

// Join is a policy that says what all of them say, whose kind is that of the first; nil of none.
func Join(name string, ps ...*Policy) *Policy {
	switch len(ps) {
	case 0:
		return nil
	case 1:
		return ps[0]
	}
	all := &Policy{Name: name, kind: ps[0].kind}
	for _, p := range ps {
		all.statements = append(all.statements, p.statements...)
	}
	return all
}

func (w *written) compile(variables bool) statement {
	s := statement{
		sid:          w.sid,
		allow:        w.effect == "Allow",
		notActions:   w.has["NotAction"],
		notResources: w.has["NotResource"],
		everywhere:   !w.has["Resource"] && !w.has["NotResource"],
		principals:   principals{not: w.has["NotPrincipal"], entries: w.principals},
	}
	for _, a := range w.actions {
		s.actions = append(s.actions, compile(strings.ToLower(a), syntax{wildcards: true}))
	}
	for _, r := range w.resources {
		s.resources = append(s.resources, compile(padded(r), syntax{wildcards: true, variables: variables}))
	}
	for _, t := range w.conditions {
		s.conditions = append(s.conditions, newCondition(t, variables))
	}
	return s
}

// padded completes an ARN that ends with its service, which means all of the service [O].
func padded(resource string) string {
	if strings.Count(resource, ":") == 2 {
		return resource + ":*:*:*"
	}
	return resource
}

// Keys returns the condition keys that the policy looks at, in conditions and variables, in lower case and sorted: what
// GetContextKeysForCustomPolicy answers.
func (p *Policy) Keys() []string {
	var keys []string
	collect := func(t *pattern) {
		for _, v := range t.pieces {
			if v.key != "" {
				keys = append(keys, v.key)
			}
		}
	}
	for i := range p.statements {
		s := &p.statements[i]
		for k := range s.resources {
			collect(&s.resources[k])
		}
		for k := range s.conditions {
			keys = append(keys, s.conditions[k].key)
			for v := range s.conditions[k].values {
				collect(&s.conditions[k].values[v].pattern)
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Principals returns the ARNs of users, roles and sessions that the policy names, sorted: whoever stores it has to check that
// they exist, as AWS does.
func (p *Policy) Principals() []string {
	var arns []string
	for i := range p.statements {
		for _, e := range p.statements[i].principals.entries {
			if e.kind == byARN {
				arns = append(arns, e.value)
			}
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns)
}

// acts says whether the statement is about the action.
func (s *statement) acts(action string) bool {
	for i := range s.actions {
		if s.actions[i].folded(action) {
			return !s.notActions
		}
	}
	return s.notActions
}

// covers says whether the statement is about the resource. A variable without a value covers nothing; a NotResource with one
// allows nothing, for what it leaves out is not known [I].
func (s *statement) covers(resource string, c *Context) bool {
	if s.everywhere {
		return true
	}
	unknown := false
	for i := range s.resources {
		matched, resolved := s.resources[i].matches(resource, c)
		if matched {
			return !s.notResources
		}
		unknown = unknown || !resolved
	}
	return s.notResources && !(unknown && s.allow)
}

// unmet is the first condition that the request does not meet, nil if it meets all.
func (s *statement) unmet(c *Context) *condition {
	for i := range s.conditions {
		if !s.conditions[i].holds(c, s.allow) {
			return &s.conditions[i]
		}
	}
	return nil
}
