package access

import (
	"strings"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// caller describes the sender of a request and all policies that count for it. It is UnrecognizedClientException if the user or
// role of its credentials is not there any more.
func (a *Access) caller(t *state.Tables, p *auth.Principal) (*policy.Principal, *policy.Policies, error) {
	who := &policy.Principal{Account: p.Account, ARN: p.ARN, ID: p.UserID}
	switch p.Kind {
	case model.KeyRoot:
		who.Kind = policy.Root
		return who, &policy.Policies{}, nil
	case model.KeyUser:
		who.Kind = policy.User
		return a.user(t, who, p.ARN, p.UserID)
	case auth.KindRole, auth.KindFederated:
		return a.session(t, who, p)
	}
	return who, &policy.Policies{}, nil // a node: it is a principal that no policy knows
}

func (a *Access) user(t *state.Tables, who *policy.Principal, arn, id string) (*policy.Principal, *policy.Policies, error) {
	u, ok := t.Users.Get(model.IAMKey(who.Account, nameOf(arn)))
	if !ok || u.ID != id {
		return nil, nil, auth.ErrUnrecognized()
	}
	who.Tags = u.Tags
	ps, err := a.ofUser(t, u)
	return who, ps, err
}

// session is a session of a role, or of a user's federation.
func (a *Access) session(t *state.Tables, who *policy.Principal, p *auth.Principal) (*policy.Principal, *policy.Policies, error) {
	s := p.Session
	who.Of, who.Kind = s.Of, policy.Session
	var ps *policy.Policies
	var err error
	if p.Kind == auth.KindFederated {
		who.Kind = policy.FederatedUser
		ps, err = a.maker(t, s)
		who.Tags = s.Tags
	} else {
		r, ok := t.Roles.Get(model.IAMKey(s.Account, nameOf(s.Of)))
		if !ok || r.ID != s.OfID || s.Task != "" && !runs(t, s.Task) {
			return nil, nil, auth.ErrUnrecognized()
		}
		who.Of = r.ARN()
		who.Tags = model.MergeTags(r.Tags, s.Tags)
		ps, err = a.OfRole(t, r)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, text := range s.Policies {
		doc, err := a.compiled.get(policy.SessionPolicy, "session policy", text)
		if err != nil {
			return nil, nil, err
		}
		ps.Session = append(ps.Session, doc)
	}
	for _, arn := range s.PolicyARNs {
		doc, err := a.managed(t, arn)
		if err != nil {
			return nil, nil, err
		}
		ps.Session = append(ps.Session, doc)
	}
	return who, ps, nil
}

// maker are the policies of who made a federated user: a user's, or that the root user may do everything.
func (a *Access) maker(t *state.Tables, s *auth.Session) (*policy.Policies, error) {
	if s.Of == "arn:aws:iam::"+s.Account+":root" {
		all, err := a.managed(t, "arn:aws:iam::aws:policy/AdministratorAccess")
		return &policy.Policies{Identity: []*policy.Policy{all}}, err
	}
	_, ps, err := a.user(t, &policy.Principal{Account: s.Account}, s.Of, s.OfID)
	return ps, err
}

// runs says whether the task with the ARN is there, and not STOPPED.
func runs(t *state.Tables, arn string) bool {
	a, _ := model.ParseARN(arn)
	p := a.Segments()
	if len(p) != 2 {
		return false
	}
	task, ok := t.Tasks.Get(model.TaskKey(a.Scope, p[0], p[1]))
	return ok && task.Last != model.TaskStopped
}

func (a *Access) ofUser(t *state.Tables, u *model.User) (*policy.Policies, error) {
	ps := &policy.Policies{}
	if err := a.add(t, ps, policy.UserInline, &u.Identity); err != nil {
		return nil, err
	}
	for _, key := range u.Groups {
		if g, ok := t.Groups.Get(key); ok {
			if err := a.add(t, ps, policy.GroupInline, &g.Identity); err != nil {
				return nil, err
			}
		}
	}
	return ps, a.bound(t, ps, u.Boundary)
}

// OfRole returns the policies of a role and its permissions boundary.
func (a *Access) OfRole(t *state.Tables, r *model.Role) (*policy.Policies, error) {
	ps := &policy.Policies{}
	if err := a.add(t, ps, policy.RoleInline, &r.Identity); err != nil {
		return nil, err
	}
	return ps, a.bound(t, ps, r.Boundary)
}

// Of describes the user, group or role with the ARN and its policies, as simulations want it; a group is a user without a name.
// NoSuchEntity says that there is none.
func (a *Access) Of(t *state.Tables, arn string) (*policy.Principal, *policy.Policies, error) {
	parsed, _ := model.ParseARN(arn)
	key := model.IAMKey(parsed.Account, nameOf(arn))
	who := &policy.Principal{Kind: policy.User, Account: parsed.Account, ARN: arn}
	switch kind := parsed.Type(); {
	case parsed.Service != "iam":
	case kind == "user":
		if u, ok := t.Users.Get(key); ok && u.ARN() == arn {
			who.ID, who.Tags = u.ID, u.Tags
			ps, err := a.ofUser(t, u)
			return who, ps, err
		}
	case kind == "group":
		if g, ok := t.Groups.Get(key); ok && g.ARN() == arn {
			who.ID = g.ID
			ps := &policy.Policies{}
			return who, ps, a.add(t, ps, policy.GroupInline, &g.Identity)
		}
	case kind == "role":
		if r, ok := t.Roles.Get(key); ok && r.ARN() == arn {
			who.Kind, who.Of, who.ID, who.Tags = policy.Session, arn, r.ID, r.Tags
			ps, err := a.OfRole(t, r)
			return who, ps, err
		}
	}
	return nil, nil, model.Errorf("NoSuchEntity", "The policy source with ARN %s cannot be found.", arn) // [I]
}

// add appends the policies of an identity: the inline ones, and those attached.
func (a *Access) add(t *state.Tables, ps *policy.Policies, kind policy.Kind, i *model.Identity) error {
	for _, one := range i.Inline {
		doc, err := a.compiled.get(kind, one.Name, one.Document)
		if err != nil {
			return err
		}
		ps.Identity = append(ps.Identity, doc)
	}
	for _, arn := range i.Attached {
		doc, err := a.managed(t, arn)
		if err != nil {
			return err
		}
		ps.Identity = append(ps.Identity, doc)
	}
	return nil
}

func (a *Access) bound(t *state.Tables, ps *policy.Policies, arn string) (err error) {
	if arn != "" {
		ps.Boundary, err = a.managed(t, arn)
	}
	return err
}

// managed returns a managed policy as it stands. One that is gone allows nothing, and denies nothing [D].
func (a *Access) managed(t *state.Tables, arn string) (*policy.Policy, error) {
	if p, ok := policy.AWSManaged(arn); ok {
		return a.compiled.get(policy.Managed, arn, p.Document)
	}
	parsed, _ := model.ParseARN(arn)
	if p, ok := t.Policies.Get(model.IAMKey(parsed.Account, nameOf(arn))); ok && p.ARN() == arn {
		return a.compiled.get(policy.Managed, arn, p.Document())
	}
	return policy.Empty(policy.Managed, arn), nil
}

// trust is a role's trust policy, which names the role by its ARN in explanations.
func (a *Access) trust(r *model.Role) (*policy.Policy, error) {
	return a.compiled.get(policy.Trust, r.ARN(), r.Trust)
}

// nameOf is what stands behind the last slash of an ARN.
func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
