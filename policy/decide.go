package policy

import "strings"

// Request is what somebody wants to do.
type Request struct {
	Principal *Principal
	Action    string // "ecs:RunTask"
	// Resource is an ARN, or "*" for an action that is about none. "" is "*", but is left out of the message of a refusal.
	Resource string
	// Owner is the account of the resource. "" is that of the ARN, or the principal's if the ARN has none.
	Owner   string
	Context *Context // nil for none; Principal.Describe and Context.SetTime fill in what every request has
}

// Policies are all that count for a request.
type Policies struct {
	Identity []*Policy // of the user and its groups, or of the session's role
	Boundary *Policy   // permissions boundary of the user or role; nil for none
	Session  []*Policy // handed over when the session was made; none: it is not narrowed
	Resource *Policy   // of the resource, or the trust policy of the role to assume; nil for none
	Around   *Policy   // of what the resource is in, which counts like its own: an ECR registry's; nil for none
}

// Layer is where in the evaluation something was decided.
type Layer int

const (
	ByIdentity Layer = iota
	ByBoundary
	BySession
	ByResource
	ByRoot // the account's root user needs no policy
)

// Decision is the answer to a Request, and why. The zero value is no decision.
type Decision struct {
	Allowed  bool
	Explicit bool  // refused by a Deny; otherwise a refusal is for want of an Allow in Layer
	Layer    Layer // of the statement that decided, or that lacks one that allows
	// Policy and Statement (its index) allowed or denied; Policy is nil if none did.
	Policy    *Policy
	Statement int
	// With and WithStatement allowed from the resource's side, where both sides have to: across accounts, and if the policy of a
	// role or key leaves it to the account.
	With          *Policy
	WithStatement int
	trust         bool // the resource is a role to assume
}

// found is what one layer says.
type found struct {
	denied, allowed   *Policy
	denying, allowing int // statements
	reach             reach
}

// Decide weighs the policies (SEMANTICS has none of this; AWS's evaluation logic [D]):
//
//   - a Deny that applies, wherever it stands, refuses;
//   - within an account an Allow suffices on either side: of an identity policy, as far as the boundary and the session's
//     policies allow it too, or of the resource's policy. That one needs nothing else if it names the user or the session, or
//     anybody; boundary and session count if it names the session's role; everything counts if it names the account;
//   - across accounts both sides have to allow;
//   - a role's trust policy and a key's policy have to allow in any case;
//   - the root user may do everything in its account that no resource's policy denies.
func Decide(r *Request, ps *Policies) Decision {
	q := newQuery(r, ps)
	trust := ps.Resource != nil && ps.Resource.kind == Trust

	var identity, boundary, session, resource found
	if r.Principal.identities() {
		identity.scan(&q, ByIdentity, ps.Identity...)
		session.scan(&q, BySession, ps.Session...)
		if ps.Boundary != nil {
			boundary.scan(&q, ByBoundary, ps.Boundary)
		}
	}
	if ps.Resource != nil {
		resource.scan(&q, ByResource, ps.Resource)
	}
	if ps.Around != nil && resource.denied == nil {
		resource.scan(&q, ByResource, ps.Around)
	}
	for layer, f := range [...]*found{&identity, &boundary, &session, &resource} {
		if f.denied != nil {
			return Decision{Explicit: true, Layer: Layer(layer), Policy: f.denied, Statement: f.denying, trust: trust}
		}
	}

	here := r.owner() == r.Principal.Account
	gate := ps.Resource != nil && ps.Resource.kind.gate()
	byResource := Decision{Allowed: true, Layer: ByResource, Policy: resource.allowed, Statement: resource.allowing, trust: trust}
	lacking := func(l Layer) Decision { return Decision{Layer: l, trust: trust} }
	if !r.Principal.identities() {
		switch {
		case resource.reach > nobody && !(trust && r.Principal.Kind == Root):
			return byResource
		case r.Principal.Kind == Root && here && !gate:
			return Decision{Allowed: true, Layer: ByRoot}
		}
		return lacking(ByResource)
	}

	bounded := ps.Boundary == nil || boundary.allowed != nil
	narrowed := len(ps.Session) == 0 || session.allowed != nil
	if r.Principal.Kind == FederatedUser {
		narrowed = session.allowed != nil // without policies of its own it may nothing [D]
	}
	switch {
	case here && (resource.reach == direct || resource.reach == role && bounded && narrowed):
		return byResource
	case here && gate && resource.reach == nobody:
		return lacking(ByResource)
	case identity.allowed == nil && !(here && resource.reach == role):
		return lacking(ByIdentity)
	case !bounded:
		return lacking(ByBoundary)
	case !narrowed:
		return lacking(BySession)
	case !here && resource.reach == nobody:
		return lacking(ByResource)
	}
	d := Decision{Allowed: true, Layer: ByIdentity, Policy: identity.allowed, Statement: identity.allowing, trust: trust}
	if !here || gate {
		d.With, d.WithStatement = resource.allowed, resource.allowing
	}
	return d
}

// owner is the account that the resource belongs to.
func (r *Request) owner() string {
	if r.Owner != "" {
		return r.Owner
	}
	rest := r.Resource
	for range 4 {
		_, after, ok := strings.Cut(rest, ":")
		if !ok {
			return r.Principal.Account
		}
		rest = after
	}
	if account, _, _ := strings.Cut(rest, ":"); account != "" && account != "*" {
		return account
	}
	return r.Principal.Account
}

// query is a request in the middle of its decision.
type query struct {
	*Request
	context  *Context
	resource string
	bounded  bool
}

func newQuery(r *Request, ps *Policies) query {
	q := query{Request: r, context: r.Context, resource: r.Resource, bounded: ps.Boundary != nil}
	if q.context == nil {
		q.context = &Context{}
	}
	if q.resource == "" {
		q.resource = "*"
	}
	return q
}

// reaches says how closely a statement means the principal. A policy of a resource has to name him; those of other layers are his.
func (q *query) reaches(l Layer, p *Policy, s *statement) reach {
	if l == ByResource || p.kind.named() {
		return s.principals.reaches(q.Principal, q.bounded)
	}
	return direct
}

// scan looks for the first statement that denies, and for the one that allows whom it reaches closest.
func (f *found) scan(q *query, l Layer, policies ...*Policy) {
	for _, p := range policies {
		for i := range p.statements {
			s := &p.statements[i]
			if s.allow && f.reach == direct || !s.acts(q.Action) {
				continue
			}
			near := q.reaches(l, p, s)
			if near == nobody || s.allow && near <= f.reach || !s.covers(q.resource, q.context) || s.unmet(q.context) != nil {
				continue
			}
			if !s.allow {
				f.denied, f.denying = p, i
				return
			}
			f.allowed, f.allowing, f.reach = p, i, near
		}
	}
}
