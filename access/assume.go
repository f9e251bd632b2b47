package access

import (
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// Assumption is a service's or a web identity's wish to be a role: what has no policies of its own, so that the role's trust
// policy alone decides.
type Assumption struct {
	RoleARN     string
	SessionName string
	Duration    time.Duration // as long as the role allows at most
	Tags        []model.Tag
	Transitive  []string // keys of those that go on to the next role
	// SourceIdentity is who it was at first, "" if nobody says so.
	SourceIdentity string
	// Policies and PolicyARNs narrow the session.
	Policies, PolicyARNs []string

	// Who asks: Service "ecs-tasks.amazonaws.com", in whose name SourceARN says (aws:SourceArn, aws:SourceAccount); or the ARN of
	// the identity provider that vouched, with what it said as condition keys ("HOST:sub").
	Service, SourceARN string
	Provider           string
	Claims             map[string][]string

	Task string // ARN of the task that the session is for, with which it ends; "" for none
	Now  time.Time
}

// Assume issues credentials of a session of a role. It is AccessDenied if there is no such role or it does not trust whoever asks.
// The credentials of a task are those of Assume with Service, Task, the task's id as SessionName, and six hours.
func (a *Access) Assume(t *state.Tables, sessions *auth.Sessions, q *Assumption) (auth.Credentials, *auth.Session, error) {
	r, err := a.trusting(t, q)
	if err != nil {
		return auth.Credentials{}, nil, err
	}
	s := auth.RoleSession(r, q.SessionName, q.Now, min(q.Duration, time.Duration(max(r.MaxSession, 3600))*time.Second))
	s.Tags, s.Provider, s.Task, s.Policies, s.PolicyARNs = q.Tags, q.Provider, q.Task, q.Policies, q.PolicyARNs
	s.Transitive, s.SourceIdentity = q.Transitive, q.SourceIdentity
	c, err := sessions.Issue(*s)
	return c, s, err
}

// Trusts says whether Assume would be refused, and issues nothing.
func (a *Access) Trusts(t *state.Tables, q *Assumption) error {
	_, err := a.trusting(t, q)
	return err
}

// trusting returns the role if it trusts who asks.
func (a *Access) trusting(t *state.Tables, q *Assumption) (*model.Role, error) {
	action, who := "sts:AssumeRole", &policy.Principal{Kind: policy.Service, ARN: q.Service}
	if q.Provider != "" {
		action, who = "sts:AssumeRoleWithWebIdentity", &policy.Principal{Kind: policy.WebIdentity, ARN: q.Provider}
	}
	denied := model.Errorf("AccessDenied", "Not authorized to perform %s", action) // [O]
	r := t.RoleByARN(q.RoleARN)
	if r == nil {
		return nil, denied
	}
	trust, err := a.trust(r)
	if err != nil {
		return nil, err
	}
	actions := []string{action}
	if len(q.Tags) > 0 && q.Provider != "" { // a service may always tag the sessions that it makes
		actions = append(actions, "sts:TagSession")
	}
	if q.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, act := range actions {
		request := &policy.Request{Principal: who, Action: act, Resource: r.ARN(), Owner: r.Account, Context: q.context(who, r)}
		if !policy.Decide(request, &policy.Policies{Resource: trust}).Allowed {
			return nil, denied
		}
	}
	return r, nil
}

func (q *Assumption) context(who *policy.Principal, r *model.Role) *policy.Context {
	c := &policy.Context{}
	who.Describe(c)
	c.SetTime(q.Now)
	c.Set("sts:RoleSessionName", q.SessionName)
	c.SetTags("aws:ResourceTag", r.Tags)
	c.SetTags("iam:ResourceTag", r.Tags)
	c.SetRequestTags(q.Tags)
	if len(q.Transitive) > 0 {
		c.Set("sts:TransitiveTagKeys", q.Transitive...)
	}
	if q.SourceIdentity != "" {
		c.Set("sts:SourceIdentity", q.SourceIdentity)
	}
	if q.SourceARN != "" {
		c.Set("aws:SourceArn", q.SourceARN)
		if a, ok := model.ParseARN(q.SourceARN); ok {
			c.Set("aws:SourceAccount", a.Account)
		}
	}
	for key, values := range q.Claims {
		c.Set(key, values...)
	}
	return c
}
