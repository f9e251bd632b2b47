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
		{model.KeyNode, "ecs", "GetTaskProtection", true},
		{model.KeyNode, "ecs", "UpdateTaskProtection", true},
		{model.KeyNode, "ecr", "BatchGetImage", true},
		{model.KeyNode, "sts", "GetCallerIdentity", true},
		{model.KeyNode, "logs", "PutLogEvents", true},
		{model.KeyNode, "logs", "FilterLogEvents", false},
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

// [I] A node protects the tasks on its own instance only.
func TestAllowedOn(t *testing.T) {
	scope := model.Scope{Account: "000000000000", Region: "us-east-1"}
	task := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: "t1", Instance: "i1"}
	own := &model.Instance{Scope: scope, Cluster: "c", ID: "i1", NodeKey: "AKIANODE"}
	for _, c := range []struct {
		rule, kind string
		i          *model.Instance
		ok         bool
	}{
		{"root", model.KeyRoot, nil, true},
		{"its own", model.KeyNode, own, true},
		{"waiting", model.KeyNode, nil, false},
		{"another node's", model.KeyNode, &model.Instance{Scope: scope, Cluster: "c", ID: "i1", NodeKey: "AKIAOTHER"}, false},
		{"of nobody knows whom", model.KeyNode, &model.Instance{Scope: scope, Cluster: "c", ID: "i1"}, false},
		{"not where the task is", model.KeyNode, &model.Instance{Scope: scope, Cluster: "c", ID: "i2", NodeKey: "AKIANODE"}, false},
	} {
		err := auth.AllowedOn(principal(c.kind), "ecs", "GetTaskProtection", task, c.i)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.rule, err)
		}
		if err != nil {
			wantCode(t, err, "AccessDeniedException", "User: arn:aws:sts::000000000000:assumed-role/roadstead-node/AKIANODE is not authorized to perform: "+
				"ecs:GetTaskProtection on resource: arn:aws:ecs:us-east-1:000000000000:task/c/t1 because no identity-based policy allows the ecs:GetTaskProtection action")
		}
	}
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
