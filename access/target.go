package access

import (
	"strings"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// target is one thing that a request is about.
type target struct {
	arn     string // "*" if it is about none
	owner   string // account; "" is that of the ARN
	cluster string // ARN of its cluster, for ecs:cluster
	service string // ARN of its service, for ecs:service
	tags    []model.Tag
	policy  *policy.Policy // of the resource itself: a role's trust, a repository's or a key's policy
	around  *policy.Policy // of what it is in: a registry's policy
	action  string         // "" is the operation's own
}

// targets are the things that the operation is about: one for each that the request names.
func (d *decider) targets() []target {
	switch d.Service {
	case "ecs":
		return d.ecsTargets()
	case "ecr":
		return d.ecrTargets()
	case "iam":
		return d.iamTargets()
	case "kms":
		return d.kmsTargets()
	case "logs":
		return d.logsTargets()
	case "s3":
		return d.s3Targets()
	case "secretsmanager":
		return d.secretTargets()
	case "ssm":
		return d.ssmTargets()
	case "sts":
		return d.stsTargets()
	}
	return d.plain(nil)
}

// plain are the operation's resources with the names of one map in their braces.
func (d *decider) plain(names map[string]string) []target {
	var out []target
	for _, arn := range d.op.ARNs(d.Principal.Scope(), func(name string) string { return names[name] }) {
		out = append(out, target{arn: arn})
	}
	return out
}

// first returns the values of the first member that the request sets.
func (d *decider) first(members ...string) []string {
	for _, m := range members {
		if vs := policy.Values(d.Input, m); len(vs) > 0 {
			return vs
		}
	}
	return nil
}

// every returns the values of all members that the request sets: whichever of them the operation goes by, it is decided about.
func (d *decider) every(members ...string) []string {
	var out []string
	for _, m := range members {
		out = append(out, policy.Values(d.Input, m)...)
	}
	return out
}

// one is the first value of the first member that the request sets, "" for none.
func (d *decider) one(members ...string) string {
	if vs := d.first(members...); len(vs) > 0 {
		return vs[0]
	}
	return ""
}

// lastName is the last name in braces of a resource's tail, which says what sort of thing it is.
func lastName(tail string) string {
	i := strings.LastIndexByte(tail, '{')
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(tail[i+1:], "}")
	return name
}

// stsTargets: a role to assume brings its trust policy along.
func (d *decider) stsTargets() []target {
	switch d.Operation {
	case "AssumeRole":
		t := target{arn: d.one("roleArn")}
		if r := d.tables.RoleByARN(t.arn); r != nil {
			t.tags = r.Tags
			t.policy, _ = d.trust(r) // one that cannot be read is none, and trusts nobody
		}
		if t.policy == nil {
			t.policy = policy.Empty(policy.Trust, t.arn)
		}
		return []target{t}
	case "GetFederationToken":
		return d.plain(map[string]string{"name": d.one("name")})
	}
	return d.plain(nil)
}
