package policy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/test/scenario"
)

// The language of testdata. Who asks:
//
//	user NAME [id=] [tag:KEY=VALUE] | session ROLE/NAME | root | federated NAME | service HOST | web PROVIDER | anonymous, each with [account=]
//
// What counts: a layer (identity, boundary, narrow for session policies, resource, trust, key) with a name, and its statements:
//
//	LAYER NAME [version=2008-10-17]
//	allow ACTION... [not=ACTIONS] [on=RESOURCES] [noton=RESOURCES] [to=WORD:NAME] [notto=WORD:NAME] [sid=]
//	deny  ...
//	when OPERATOR KEY=VALUES
//	forget LAYER
//
// And the question: ask ACTION [on=RESOURCE] [owner=ACCOUNT] [KEY=VALUES]. Several values stand between "|"; "~" is a space.
type world struct {
	principal policy.Principal
	layers    map[string][]*draft
	last      *draft
}

type draft struct {
	name       string
	version    string
	statements []map[string]any
}

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(*testing.T) scenario.Verbs {
		w := &world{layers: map[string][]*draft{}}
		verbs := scenario.Verbs{
			"allow": func(c *scenario.Call) { w.statement(c, "Allow") }, "deny": func(c *scenario.Call) { w.statement(c, "Deny") },
			"when": w.when, "ask": w.ask,
			"forget": func(c *scenario.Call) { delete(w.layers, c.Arg()) },
		}
		for name, kind := range map[string]policy.PrincipalKind{
			"user": policy.User, "session": policy.Session, "root": policy.Root, "federated": policy.FederatedUser,
			"service": policy.Service, "web": policy.WebIdentity, "anonymous": policy.Anonymous,
		} {
			verbs[name] = func(c *scenario.Call) { w.enter(c, kind) }
		}
		for _, name := range []string{"identity", "boundary", "narrow", "resource", "trust", "key"} {
			verbs[name] = func(c *scenario.Call) { w.layer(c, name) }
		}
		return verbs
	})
}

func (w *world) enter(c *scenario.Call, kind policy.PrincipalKind) {
	account, name := c.Text("account", "111122223333"), c.Arg()
	p := policy.Principal{Kind: kind, Account: account, ID: c.Text("id", "AIDAUSER")}
	switch kind {
	case policy.User:
		p.ARN = "arn:aws:iam::" + account + ":user/" + name
	case policy.Session:
		role, _, _ := strings.Cut(name, "/")
		p.ARN, p.Of = "arn:aws:sts::"+account+":assumed-role/"+name, "arn:aws:iam::"+account+":role/"+role
	case policy.FederatedUser:
		p.ARN, p.Of = "arn:aws:sts::"+account+":federated-user/"+name, "arn:aws:iam::"+account+":user/ann"
	case policy.Root:
		p.ARN, p.ID = "arn:aws:iam::"+account+":root", account
	default:
		p.Account, p.ARN, p.ID = "", name, ""
	}
	rest := c.Rest()
	for _, k := range slices.Sorted(maps.Keys(rest)) {
		p.Tags = append(p.Tags, model.Tag{Key: strings.TrimPrefix(k, "tag:"), Value: rest[k]})
	}
	w.principal = p
}

func (w *world) layer(c *scenario.Call, layer string) {
	w.last = &draft{name: c.Arg(), version: c.Text("version", "2012-10-17")}
	w.layers[layer] = append(w.layers[layer], w.last)
}

func (w *world) statement(c *scenario.Call, effect string) {
	s := map[string]any{"Effect": effect}
	var actions []string
	for a := c.Arg(); a != ""; a = c.Arg() {
		actions = append(actions, a)
	}
	if actions != nil {
		s["Action"] = actions
	}
	for option, element := range map[string]string{"not": "NotAction", "on": "Resource", "noton": "NotResource"} {
		if v := c.Text(option, ""); v != "" {
			s[element] = listed(v)
		}
	}
	for option, element := range map[string]string{"to": "Principal", "notto": "NotPrincipal"} {
		if v := c.Text(option, ""); v == "*" {
			s[element] = v
		} else if v != "" {
			under := map[string][]string{}
			for _, name := range listed(v) {
				word, name, _ := strings.Cut(name, ":")
				under[word] = append(under[word], name)
			}
			s[element] = under
		}
	}
	if sid := c.Text("sid", ""); sid != "" {
		s["Sid"] = sid
	}
	w.last.statements = append(w.last.statements, s)
}

func (w *world) when(c *scenario.Call) {
	s := w.last.statements[len(w.last.statements)-1]
	conditions, _ := s["Condition"].(map[string]map[string][]string)
	if conditions == nil {
		conditions = map[string]map[string][]string{}
		s["Condition"] = conditions
	}
	op := c.Arg()
	if conditions[op] == nil {
		conditions[op] = map[string][]string{}
	}
	for k, v := range c.Rest() {
		conditions[op][k] = listed(v)
	}
}

func listed(v string) []string { return strings.Split(strings.ReplaceAll(v, "~", " "), "|") }

// parse makes policies of a layer's drafts. Those that say nothing of resources are about all.
func (w *world) parse(c *scenario.Call, layer string, kind policy.Kind) (out []*policy.Policy) {
	for _, d := range w.layers[layer] {
		for _, s := range d.statements {
			if s["Resource"] == nil && s["NotResource"] == nil && kind < policy.Trust {
				s["Resource"] = "*"
			}
		}
		text, err := json.Marshal(map[string]any{"Version": d.version, "Statement": d.statements})
		if err != nil {
			c.Fatal(err)
		}
		p, err := policy.Parse(kind, d.name, string(text))
		if err != nil {
			c.Fatalf("%s: %v", text, err)
		}
		out = append(out, p)
	}
	return out
}

func (w *world) policies(c *scenario.Call) *policy.Policies {
	first := func(ps []*policy.Policy) *policy.Policy {
		if len(ps) == 0 {
			return nil
		}
		return ps[0]
	}
	resource := slices.Concat(w.parse(c, "trust", policy.Trust), w.parse(c, "key", policy.KeyPolicy), w.parse(c, "resource", policy.Resource))
	return &policy.Policies{
		Identity: w.parse(c, "identity", policy.RoleInline),
		Boundary: first(w.parse(c, "boundary", policy.Managed)),
		Session:  w.parse(c, "narrow", policy.SessionPolicy),
		Resource: first(resource),
	}
}

func (w *world) ask(c *scenario.Call) {
	r := &policy.Request{Principal: &w.principal, Action: c.Arg(), Resource: listed(c.Text("on", "*"))[0], Owner: c.Text("owner", ""), Context: &policy.Context{}}
	w.principal.Describe(r.Context)
	rest := c.Rest()
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		r.Context.Set(key, listed(rest[key])...)
	}
	ps := w.policies(c)
	d := policy.Decide(r, ps)
	c.Printf("%s", d.Explain())
	if !d.Allowed {
		c.Printf("%s", d.Message(r))
	}
	if err := d.Err(r); (err == nil) != d.Allowed || err != nil && err.Error() != "AccessDeniedException: "+d.Message(r) {
		c.Errorf("%+v is %v", d, err)
	}
	if !d.Allowed && !d.Explicit {
		for _, line := range policy.Near(r, ps) {
			c.Printf("near: %s", line)
		}
	}
}
