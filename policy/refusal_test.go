package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

func parsed(t *testing.T, kind policy.Kind, name, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(kind, name, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A refusal says which statement denied, or which would have allowed and what was in their way [O]; but nothing of the policy of
// another account's resource.
func TestRefusal(t *testing.T) {
	const ours, theirs = "arn:aws:ecs:us-east-1:111122223333:cluster/prod", "arn:aws:secretsmanager:us-east-1:444455556666:secret:db"
	allow := parsed(t, policy.UserInline, "work", `{"Version":"2012-10-17","Statement":[{"Sid":"Prod","Effect":"Allow","Action":"*","Resource":"*",
		"Condition":{"StringEquals":{"aws:PrincipalTag/team":"blue"}}}]}`)
	deny := parsed(t, policy.UserInline, "guard", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
		{"Sid":"NoDelete","Effect":"Deny","Action":"ecs:Delete*","Resource":"*"}]}`)
	shut := parsed(t, policy.Resource, "resource policy", `{"Version":"2012-10-17","Statement":[{"Sid":"TheirWord","Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`)
	for name, c := range map[string]struct {
		action, resource string
		policies         policy.Policies
		explicit         bool
		want             []string // in the explanation, what is near and the statements, in this order
	}{
		"denied":              {"ecs:DeleteCluster", ours, policy.Policies{Identity: []*policy.Policy{deny}}, true, []string{"denied by statement NoDelete of the identity-based policy guard", "NoDelete guard"}},
		"for want of a tag":   {"ecs:RunTask", ours, policy.Policies{Identity: []*policy.Policy{allow}}, false, []string{"refused: no identity-based policy allows it", "statement Prod of the identity-based policy work: StringEquals aws:PrincipalTag/team"}},
		"by another account":  {"secretsmanager:GetSecretValue", theirs, policy.Policies{Identity: []*policy.Policy{deny}, Resource: shut}, true, []string{"denied by the resource-based policy of another account"}},
		"for want of a word ": {"secretsmanager:GetSecretValue", theirs, policy.Policies{Identity: []*policy.Policy{deny}}, false, []string{"refused: no resource-based policy allows it"}},
	} {
		t.Run(name, func(t *testing.T) {
			who := &policy.Principal{Kind: policy.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/ann", ID: "AIDA1"}
			r := &policy.Request{Principal: who, Action: c.action, Resource: c.resource, Context: &policy.Context{}}
			who.Describe(r.Context)
			d := policy.Decide(r, &c.policies)
			f := d.Refuse(r, &c.policies)
			text, err := json.Marshal(f)
			if err != nil || d.Allowed || f.Allowed || f.ExplicitDeny != c.explicit {
				t.Fatalf("%s, %v", text, err)
			}
			got := append([]string{f.Explanation}, f.Near...)
			for _, m := range f.MatchedStatements.Items {
				got = append(got, m.StatementID+" "+m.PolicyID)
			}
			if len(got) < len(c.want) || !slices.EqualFunc(got[:len(c.want)], c.want, strings.HasPrefix) {
				t.Errorf("got %q", got)
			}
			if strings.Contains(string(text), "TheirWord") {
				t.Errorf("it tells what another account's policy says: %s", text)
			}
			for _, part := range []string{`"id":"AIDA1","arn":"` + who.ARN + `"`, `"action":"` + c.action + `"`, `"resource":"` + c.resource + `"`,
				`{"key":"aws:username","values":{"items":[{"value":"ann"}]}}`, `"failures":{"items":[]}`} {
				if !strings.Contains(string(text), part) {
					t.Errorf("%s is not in %s", part, text)
				}
			}
		})
	}
}

// Of another account's thing a refusal says no more than its name: what tags it has, and whose it is, are its owner's to tell.
func TestRefusalOfAnothersThing(t *testing.T) {
	allow := parsed(t, policy.UserInline, "work", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
		"Condition":{"StringEquals":{"aws:ResourceTag/team":"blue"}}}]}`)
	for owner, ours := range map[string]bool{"111122223333": true, "444455556666": false} {
		who := &policy.Principal{Kind: policy.User, Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/ann", ID: "AIDA1"}
		r := &policy.Request{Principal: who, Action: "s3:GetObject", Resource: "arn:aws:s3:::box/k", Owner: owner, Context: &policy.Context{}}
		who.Describe(r.Context)
		r.Context.SetTags("aws:ResourceTag", []model.Tag{{Key: "team", Value: "undisclosed"}})
		r.Context.Set("aws:ResourceAccount", owner)
		r.Context.Set("kms:ResourceAliases", "alias/undisclosed")
		ps := &policy.Policies{Identity: []*policy.Policy{allow}}
		text, err := json.Marshal(policy.Decide(r, ps).Refuse(r, ps))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"undisclosed", "alias/", "resourceaccount"} {
			if strings.Contains(strings.ToLower(string(text)), part) != ours {
				t.Errorf("of a thing of account %s: %q is in it: %v: %s", owner, part, !ours, text)
			}
		}
		if !strings.Contains(string(text), `"key":"aws:username"`) || r.Context.Get("aws:ResourceAccount") == nil {
			t.Errorf("of a thing of account %s: %s", owner, text)
		}
	}
}
