package access

import (
	"strings"

	"github.com/roadstead/roadstead/model"
)

// iamTargets are the users, groups, roles, policies and instance profiles that a request names: by name, which the row's path
// completes, or by ARN.
func (d *decider) iamTargets() []target {
	if len(d.op.Resources) == 0 {
		return d.plain(nil)
	}
	account := d.Principal.Account
	key := func(member string) string { return model.IAMKey(account, d.one(member)) }
	tail := d.op.Resources[0]
	t := target{owner: account}
	switch name := lastName(tail); name {
	case "pathPrefix":
		t.arn = "arn:aws:iam::" + account + ":" + strings.TrimSuffix(tail, "/{pathPrefix}") + "/" + strings.TrimPrefix(d.one("pathPrefix"), "/")
	case "user":
		t.arn = model.IAMARN(account, "user", d.path(), d.one("userName"))
		if u, ok := d.tables.Users.Get(key("userName")); ok {
			t.arn, t.tags = u.ARN(), u.Tags
		} else if d.one("userName") == "" && d.Principal.Kind == model.KeyUser { // the caller himself
			t.arn, t.tags = d.Principal.ARN, d.who.Tags
		}
	case "group":
		t.arn = model.IAMARN(account, "group", d.path(), d.one("groupName"))
		if g, ok := d.tables.Groups.Get(key("groupName")); ok {
			t.arn = g.ARN()
		}
	case "role":
		t.arn = model.IAMARN(account, "role", d.path(), d.one("roleName"))
		if r, ok := d.tables.Roles.Get(key("roleName")); ok {
			t.arn, t.tags = r.ARN(), r.Tags
		}
	case "instanceProfile":
		t.arn = model.IAMARN(account, "instance-profile", d.path(), d.one("instanceProfileName"))
		if p, ok := d.tables.Profiles.Get(key("instanceProfileName")); ok {
			t.arn, t.tags = p.ARN(), p.Tags
		}
	case "policy":
		t = d.policyTarget()
	case "provider":
		t.arn = d.one("openIDConnectProviderArn")
		if url := d.one("url"); url != "" {
			t.arn = "arn:aws:iam::" + account + ":oidc-provider/" + strings.TrimPrefix(url, "https://")
		}
		if p, ok := d.tables.OIDCProviders.Get(account + "/" + strings.TrimPrefix(t.arn, "arn:aws:iam::"+account+":oidc-provider/")); ok {
			t.tags = p.Tags
		}
	case "resource":
		t = target{arn: d.one("policySourceArn")}
	default:
		return d.plain(nil)
	}
	return []target{t}
}

// path is that of something to be made.
func (d *decider) path() string {
	if p := d.one("path"); p != "" {
		return p
	}
	return "/"
}

func (d *decider) policyTarget() target {
	t := target{arn: d.one("policyArn"), owner: d.Principal.Account} // AWS's own policies too: everybody may look at them
	if t.arn == "" {
		t.arn = model.IAMARN(t.owner, "policy", d.path(), d.one("policyName"))
	}
	if p, ok := d.tables.Policies.Get(model.IAMKey(t.owner, nameOf(t.arn))); ok && p.ARN() == t.arn {
		t.tags = p.Tags
	}
	if a, ok := model.ParseARN(t.arn); ok && a.Account != "aws" {
		t.owner = a.Account
	}
	return t
}
