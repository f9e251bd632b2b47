package policy

import (
	"maps"
	"strings"
)

// Refusal is why a request was refused, in the shape of what DecodeAuthorizationMessage answers [O]. AWS has no text of it in words:
// Explanation and Near are ours.
type Refusal struct {
	Allowed           bool            `json:"allowed"` // false
	ExplicitDeny      bool            `json:"explicitDeny"`
	MatchedStatements items[matched]  `json:"matchedStatements"` // that denied, none for want of an Allow
	Failures          items[struct{}] `json:"failures"`
	Context           refusalContext  `json:"context"`
	Explanation       string          `json:"explanation"`    // as Decision.Explain
	Near              []string        `json:"near,omitempty"` // as Near
}

type items[T any] struct {
	Items []T `json:"items"`
}

type matched struct {
	StatementID string `json:"statementId"`
	Effect      string `json:"effect"`
	PolicyID    string `json:"sourcePolicyId"`
}

type refusalContext struct {
	Principal  refusedPrincipal        `json:"principal"`
	Action     string                  `json:"action"`
	Resource   string                  `json:"resource"`
	Conditions items[refusalCondition] `json:"conditions"`
}

type refusedPrincipal struct {
	ID  string `json:"id"`
	ARN string `json:"arn"`
}

type refusalCondition struct {
	Key    string          `json:"key"`
	Values items[oneValue] `json:"values"`
}

type oneValue struct {
	Value string `json:"value"`
}

// Refuse describes the refusal d of a request. It is for the principal's own account: of another one's resource it tells nothing but its
// name, neither what its policy says nor which tags it has.
func (d Decision) Refuse(r *Request, ps *Policies) Refusal {
	if r.owner() != r.Principal.Account {
		theirs := *ps
		theirs.Resource, theirs.Around = nil, nil
		ps = &theirs
		r = r.withoutResource()
		if d.Layer == ByResource {
			d.Policy = nil
		}
	}
	f := Refusal{
		ExplicitDeny: d.Explicit, Explanation: d.Explain(), Near: Near(r, ps), MatchedStatements: items[matched]{[]matched{}}, Failures: items[struct{}]{[]struct{}{}},
		Context: refusalContext{Principal: refusedPrincipal{r.Principal.ID, r.Principal.name()}, Action: r.Action, Resource: r.Resource},
	}
	if d.Policy != nil {
		f.MatchedStatements.Items = append(f.MatchedStatements.Items, matched{d.Policy.StatementName(d.Statement), "DENY", d.Policy.Name})
	} else if d.Explicit {
		f.Explanation = "denied by the " + d.noun() + " of another account"
	}
	q := newQuery(r, ps)
	f.Context.Conditions.Items = []refusalCondition{}
	for _, key := range q.context.Keys() {
		c := refusalCondition{Key: key}
		for _, v := range q.context.get(key) {
			c.Values.Items = append(c.Values.Items, oneValue{v})
		}
		f.Context.Conditions.Items = append(f.Context.Conditions.Items, c)
	}
	return f
}

// withoutResource is the request without what is known of its resource: the keys that are called so.
func (r *Request) withoutResource() *Request {
	out, context := *r, Context{values: maps.Clone(r.Context.values)}
	maps.DeleteFunc(context.values, func(key string, _ []string) bool {
		_, name, _ := strings.Cut(key, ":")
		return strings.HasPrefix(name, "resource")
	})
	out.Context = &context
	return &out
}
