package policy_test

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/policy"
)

// [D] Every AWS managed policy is one that IAM would store, with an ARN and an id of its own.
func TestAWSManagedPolicies(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range policy.AWSPolicies() {
		if _, err := policy.Parse(policy.Managed, p.ARN, p.Document); err != nil {
			t.Errorf("%s: %v", p.ARN, err)
		}
		if p.ARN != "arn:aws:iam::aws:policy"+p.Path+p.Name || len(p.ID) != 21 || seen[p.ID] || p.Description == "" {
			t.Errorf("%+v", p)
		}
		seen[p.ID] = true
		if found, ok := policy.AWSManaged(p.ARN); !ok || found != p {
			t.Errorf("%s is not found", p.ARN)
		}
	}
	for _, arn := range []string{"", "arn:aws:iam::aws:policy/Nothing", "arn:aws:iam::111122223333:policy/AdministratorAccess"} {
		if _, ok := policy.AWSManaged(arn); ok {
			t.Errorf("%s is found", arn)
		}
	}
}

// [D] The policy that every task's execution role has: it pulls and logs, and does not push.
func TestExecutionRolePolicy(t *testing.T) {
	p, ok := policy.AWSManaged("arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy")
	if !ok {
		t.Fatal("there is none")
	}
	doc, err := policy.Parse(policy.Managed, p.Name, p.Document)
	if err != nil {
		t.Fatal(err)
	}
	who := &policy.Principal{Kind: policy.Session, Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/r/s", Of: "arn:aws:iam::111122223333:role/r"}
	for action, want := range map[string]bool{"ecr:BatchGetImage": true, "logs:PutLogEvents": true, "ecr:PutImage": false, "logs:CreateLogGroup": false} {
		if got := policy.Decide(&policy.Request{Principal: who, Action: action}, &policy.Policies{Identity: []*policy.Policy{doc}}); got.Allowed != want {
			t.Errorf("%s: %v", action, got)
		}
	}
	if strings.Contains(p.Document, "null") {
		t.Error(p.Document)
	}
}
