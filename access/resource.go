package access

import (
	"cmp"
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// Policies of resources. A service whose things have some names them in resourcePolicies; then they count in every decision about
// such a thing, and other accounts may use it as far as they say so.

// resourcePolicies returns the text of the policy of the thing with the ARN, "" for none, and of those of what it is in. kept says
// whether things of its sort may have one at all.
func (d *decider) resourcePolicies(a model.ARN) (own string, around []string, kept bool) {
	switch a.Service {
	case "ecr":
		name, isRepository := strings.CutPrefix(a.Tail, "repository/")
		if !isRepository {
			return "", nil, false
		}
		if r, ok := d.tables.Repositories.Get(a.Scope.Key(name)); ok {
			own = r.Policy
		}
		if r, ok := d.tables.Registries.Get(a.Scope.Key()); ok && (r.Settings[model.PolicyScope] != "V1" || ofCopies(d.op.Name)) {
			if r.Policy != "" {
				around = []string{r.Policy}
			}
		}
		return own, around, true
	case "logs":
		name, isGroup := strings.CutPrefix(a.Tail, "log-group:")
		if !isGroup {
			return "", nil, false
		}
		name, _, _ = strings.Cut(name, ":log-stream:")
		if r, ok := d.tables.LogGroups.Get(a.Scope.Key(name)); ok {
			own = r.Policy.Document
		}
		for p := range d.tables.LogPolicies.Prefix(a.Scope.Key("")) {
			around = append(around, p.Document)
		}
		return own, around, true
	case "s3":
		return d.bucketPolicy(a), nil, true
	case "secretsmanager":
		if r := d.tables.SecretByID(a.Scope, a.String()); r != nil {
			own = r.Policy
		}
		return own, nil, true
	case "kms":
		return "", nil, true // a key's own stands in its target
	}
	return "", nil, false
}

// ofCopies are the actions that a registry's policy of the old scope is about [D].
func ofCopies(action string) bool {
	return action == "CreateRepository" || action == "ReplicateImage" || action == "BatchImportUpstreamImage"
}

// keepsPolicies are the services whose things may have policies.
func keepsPolicies(service string) bool {
	switch service {
	case "ecr", "kms", "logs", "s3", "secretsmanager":
		return true
	}
	return false
}

// withPolicies puts a target's own policies beside it.
func (d *decider) withPolicies(t target) (target, error) {
	a, ok := model.ParseARN(t.arn)
	if !ok || t.policy != nil {
		return t, nil
	}
	own, around, _ := d.resourcePolicies(a)
	var err error
	if own != "" {
		if t.policy, err = d.compiled.get(policy.Resource, t.arn, own); err != nil {
			return t, err
		}
	}
	var compiled []*policy.Policy
	for _, text := range around {
		p, err := d.compiled.get(policy.Resource, a.Service+" of account "+a.Account, text)
		if err != nil {
			return t, err
		}
		compiled = append(compiled, p)
	}
	t.around = policy.Join(a.Service+" of account "+a.Account, compiled...)
	return t, nil
}

// asRoot decides for those whom policies of their own do not bind: a root user, and a node, which is to the policies of resources what
// its account's root user is. Only things of other accounts, and things with a policy, can be refused to them; keys of their own
// account cannot (docs/decisions/023).
func (d *decider) asRoot() error {
	if !keepsPolicies(d.Service) || d.op.Action == "" {
		return nil
	}
	d.who = &policy.Principal{Kind: policy.Root, Account: d.Principal.Account, ARN: model.ARN{
		Partition: "aws", Service: "iam", Scope: model.Scope{Account: d.Principal.Account}, Tail: "root",
	}.String()}
	if d.Service == "logs" && d.Principal.Kind == model.KeyNode {
		if err := d.nodeLogs(); err != nil {
			return err
		}
	}
	for _, t := range d.targets() {
		a, ok := model.ParseARN(t.arn)
		if !ok {
			continue
		}
		own, around, kept := d.resourcePolicies(a)
		if !kept || own == "" && len(around) == 0 && cmp.Or(t.owner, a.Account) == d.Principal.Account {
			continue
		}
		if err := d.decide(cmp.Or(t.action, d.op.Action), d.op.Keys, t, nil); err != nil {
			return err
		}
	}
	return nil
}
