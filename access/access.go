package access

import (
	"errors"
	"strings"
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

// Access decides. It is safe for concurrent use.
type Access struct {
	// Encode makes a message of a refusal that its account can decode; nil makes none.
	Encode   func(account string, why policy.Refusal) string
	compiled compiled
}

// Call is a request whose sender is verified and whose input is decoded.
type Call struct {
	Principal auth.Principal
	Service   string // IAM prefix: "ecs"
	Operation string // "RunTask"
	Input     any    // pointer to the operation's input struct
	Now       time.Time
	SourceIP  string // "" if unknown
	UserAgent string
	Secure    bool // it came over TLS
	// Via is the service that makes the call in the name of its own caller ("secretsmanager"), "" if that one calls himself.
	Via string
}

// Authorize returns nil if the caller may make the call, else AccessDeniedException with AWS's words, or
// UnrecognizedClientException if the caller's user or role is gone. The root user may do everything in its account that no policy of
// a resource denies, and what nodes may do auth.Allowed says.
func (a *Access) Authorize(t *state.Tables, c *Call) error {
	assumes := c.Service == "sts" && c.Operation == "AssumeRole" // which root users may not
	if !c.Principal.Judged() && !assumes && !keepsPolicies(c.Service) {
		return nil
	}
	op, ok := policy.LookupOperation(c.Service, c.Operation)
	if !ok {
		op = policy.Operation{Name: c.Operation, Action: c.Service + ":" + c.Operation}
	}
	if !c.Principal.Judged() && !assumes {
		d := decider{Access: a, Call: c, tables: t, op: &op, policies: &policy.Policies{}}
		return d.asRoot()
	}
	who, ps, err := a.caller(t, &c.Principal)
	if err != nil {
		return err
	}
	if op.Action == "" {
		return nil
	}
	if c.Service == "iam" && c.Principal.Session != nil && c.Principal.Kind != auth.KindRole {
		return auth.ErrUnrecognized() // what GetSessionToken and GetFederationToken give is none for IAM [D]
	}
	d := decider{Access: a, Call: c, tables: t, op: &op, who: who, policies: ps}
	for _, target := range d.targets() {
		action := op.Action
		if target.action != "" {
			action = target.action
		}
		if err := d.decide(action, op.Keys, target, nil); err != nil {
			return err
		}
		if err := d.further(target); err != nil {
			return err
		}
	}
	return d.passes()
}

// decider decides one call.
type decider struct {
	*Access
	*Call
	tables   *state.Tables
	op       *policy.Operation
	who      *policy.Principal
	policies *policy.Policies
}

// decide refuses an action on a target. Keys are the condition keys that the action has; more has some that are no members of
// the request.
func (d *decider) decide(action string, keys []string, t target, more map[string]string) error {
	ctx := d.context(t, keys)
	for key, v := range more {
		ctx.Set(key, v)
	}
	t, err := d.withPolicies(t)
	if err != nil {
		return err
	}
	ps := *d.policies
	ps.Resource, ps.Around = t.policy, t.around
	r := &policy.Request{Principal: d.who, Action: action, Resource: t.arn, Owner: t.owner, Context: ctx}
	return d.refusal(policy.Decide(r, &ps), r, &ps)
}

// refusal is the error of a decision, with a message that says more to who may decode it; nil if there is none.
func (d *decider) refusal(decision policy.Decision, r *policy.Request, ps *policy.Policies) error {
	err := decision.Err(r)
	if refusal, ok := errors.AsType[*model.Error](err); ok && d.Encode != nil {
		refusal.Encoded = d.Encode(d.Principal.Account, decision.Refuse(r, ps))
	}
	return err
}

// further are the actions that some members of a request need besides its own: tags, above all.
func (d *decider) further(t target) error {
	for _, f := range d.op.Also {
		if !policy.Given(d.Input, f.Member) {
			continue
		}
		keys := d.op.Keys // of sts:TagSession, which is no operation
		service, name, _ := strings.Cut(f.Action, ":")
		if op, ok := policy.LookupOperation(service, name); ok {
			keys = op.Keys
		}
		var more map[string]string
		if strings.HasSuffix(f.Action, ":TagResource") {
			more = map[string]string{"ecs:CreateAction": d.Operation}
			t = d.tagged(t)
		}
		if f.Action == "ecs:PutClusterCapacityProviders" {
			t = d.clusterTarget()
		}
		if err := d.decide(f.Action, keys, t, more); err != nil {
			return err
		}
	}
	return nil
}

// passes: iam:PassRole has to be allowed on every role that the request hands to a service.
func (d *decider) passes() error {
	if len(d.op.Passes) == 0 {
		return nil
	}
	definition := d.definition()
	seen := map[string]bool{}
	for _, pass := range d.op.Passes {
		for _, ref := range pass.Roles(d.Input, definition) {
			if seen[ref+" "+pass.Service] {
				continue
			}
			seen[ref+" "+pass.Service] = true
			if err := d.decide("iam:PassRole", []string{"aws:ResourceTag/*", "iam:ResourceTag/*"}, d.role(ref), map[string]string{"iam:PassedToService": pass.Service}); err != nil {
				return err
			}
		}
	}
	return nil
}

// role is the role that a request names by its ARN or its name, as a thing to pass.
func (d *decider) role(ref string) target {
	t := target{arn: ref}
	if !strings.HasPrefix(ref, "arn:") {
		t.arn = model.IAMARN(d.Principal.Account, "role", "/", ref)
		if r, ok := d.tables.Roles.Get(model.IAMKey(d.Principal.Account, ref)); ok {
			t.arn = r.ARN()
		}
	}
	if r := d.tables.RoleByARN(t.arn); r != nil {
		t.tags = r.Tags
	}
	return t
}
