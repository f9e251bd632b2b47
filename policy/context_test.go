package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// [D] Keys do not differ by case; a key without values is missing; later values take the place of earlier ones.
func TestContext(t *testing.T) {
	var c policy.Context
	c.Set("AWS:SourceIp", "10.0.0.1")
	c.SetRequestTags([]model.Tag{{Key: "Team", Value: "red"}, {Key: "team", Value: "blue"}, {Key: "x", Value: ""}})
	c.SetTags("ecs:ResourceTag", []model.Tag{{Key: "a", Value: "1"}})
	c.SetTags("ecs:ResourceTag", []model.Tag{{Key: "A", Value: "2"}})
	c.SetTime(time.Unix(1767225600, 0))
	c.Set("gone", "x")
	c.Set("Gone")
	for key, want := range map[string][]string{
		"aws:sourceip": {"10.0.0.1"}, "aws:RequestTag/TEAM": {"red", "blue"}, "aws:RequestTag/x": {""}, "aws:TagKeys": {"Team", "team", "x"},
		"ECS:ResourceTag/a": {"2"}, "aws:CurrentTime": {"2026-01-01T00:00:00Z"}, "aws:EpochTime": {"1767225600"}, "gone": nil,
	} {
		if got := c.Get(key); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	want := []string{"aws:currenttime", "aws:epochtime", "aws:requesttag/team", "aws:requesttag/x", "aws:sourceip", "aws:tagkeys", "ecs:resourcetag/a"}
	if got := c.Keys(); !slices.Equal(got, want) {
		t.Errorf("keys %q", got)
	}
}

// [D] Which keys say who asks (IAM's table of principals).
func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		p    policy.Principal
		want map[string]string
	}{
		{policy.Principal{Kind: policy.Root, Account: home, ARN: "arn:aws:iam::" + home + ":root", ID: home},
			map[string]string{"aws:PrincipalType": "Account", "aws:userid": home, "aws:username": "", "aws:PrincipalArn": "arn:aws:iam::" + home + ":root"}},
		{policy.Principal{Kind: policy.User, Account: home, ARN: "arn:aws:iam::" + home + ":user/ops/ann", ID: "AIDAX", Tags: []model.Tag{{Key: "Team", Value: "red"}}},
			map[string]string{"aws:PrincipalType": "User", "aws:userid": "AIDAX", "aws:username": "ann", "aws:PrincipalTag/team": "red", "aws:PrincipalAccount": home}},
		{policy.Principal{Kind: policy.Session, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/r/s", Of: "arn:aws:iam::" + home + ":role/p/r", ID: "AROAX:s"},
			map[string]string{"aws:PrincipalType": "AssumedRole", "aws:userid": "AROAX:s", "aws:username": "", "aws:PrincipalArn": "arn:aws:iam::" + home + ":role/p/r"}},
		{policy.Principal{Kind: policy.FederatedUser, Account: home, ARN: "arn:aws:sts::" + home + ":federated-user/bob", Of: "arn:aws:iam::" + home + ":user/ann", ID: home + ":bob"},
			map[string]string{"aws:PrincipalType": "FederatedUser", "aws:userid": home + ":bob", "aws:username": "", "aws:PrincipalArn": "arn:aws:sts::" + home + ":federated-user/bob"}},
		{policy.Principal{Kind: policy.Service, ARN: "ecs-tasks.amazonaws.com"},
			map[string]string{"aws:PrincipalServiceName": "ecs-tasks.amazonaws.com", "aws:PrincipalIsAWSService": "true", "aws:PrincipalArn": "", "aws:PrincipalAccount": ""}},
		{policy.Principal{}, map[string]string{"aws:PrincipalType": "Anonymous", "aws:userid": "", "aws:PrincipalArn": ""}},
	} {
		var ctx policy.Context
		c.p.Describe(&ctx)
		for key, want := range c.want {
			if got := ctx.Get(key); len(got) > 1 || want == "" != (got == nil) || want != "" && got[0] != want {
				t.Errorf("%s: %s is %q, want %q", c.p.ARN, key, got, want)
			}
		}
	}
}
