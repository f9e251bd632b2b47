package auth_test

import (
	"context"
	"testing"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

func principal(kind string) auth.Principal {
	return auth.NewPrincipal(model.AccessKey{ID: "AKIANODE", Account: "000000000000", Kind: kind}, "us-east-1", "ecs")
}

// [I] Until policies exist: root may do everything, a node what an agent must, others nothing.
func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		kind, service, op string
		ok                bool
	}{
		{model.KeyRoot, "ecs", "RunTask", true},
		{model.KeyRoot, "iam", "CreateUser", true},
		{model.KeyNode, "ecs", "RegisterContainerInstance", true},
		{model.KeyNode, "ecs", "SubmitTaskStateChange", true},
		{model.KeyNode, "ecs", "Poll", true},
		{model.KeyNode, "ecr", "BatchGetImage", true},
		{model.KeyNode, "sts", "GetCallerIdentity", true},
		{model.KeyNode, "ecs", "RunTask", false},
		{model.KeyNode, "ecs", "ListTasks", false},
		{model.KeyNode, "ecr", "PutImage", false},
		{model.KeyNode, "sts", "AssumeRole", false},
		{model.KeyNode, "", "", false},
		{"", "ecs", "ListTasks", false},
	} {
		if err := auth.Allowed(principal(c.kind), c.service, c.op); (err == nil) != c.ok {
			t.Errorf("%s %s:%s: %v", c.kind, c.service, c.op, err)
		}
	}
	err := auth.Allowed(principal(model.KeyNode), "ecs", "RunTask") // [O]
	wantCode(t, err, "AccessDeniedException", "User: arn:aws:sts::000000000000:assumed-role/roadstead-node/AKIANODE is not "+
		"authorized to perform: ecs:RunTask on resource: * because no identity-based policy allows the ecs:RunTask action")
}

func TestPrincipalContext(t *testing.T) {
	if _, ok := auth.PrincipalFrom(context.Background()); ok {
		t.Error("a principal out of nothing")
	}
	want := principal(model.KeyRoot)
	if p, ok := auth.PrincipalFrom(auth.WithPrincipal(context.Background(), want)); !ok || p != want {
		t.Errorf("got %+v", p)
	}
}
