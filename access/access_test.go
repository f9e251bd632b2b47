package access_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

const account = "111122223333"

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// tables are rows that a function has written.
func tables(t testing.TB, write func(tx *state.Tx)) *state.Tables {
	t.Helper()
	db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{
		Marshal: func(any) ([]byte, error) { return []byte("{}"), nil }, Unmarshal: func([]byte, any) error { return nil },
	}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = db.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if err := db.AwaitLead(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(ctx, func(tx *state.Tx) error { write(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	return db.Snapshot().Tables
}

func identity(name, id, document string) model.Identity {
	i := model.Identity{Account: account, Name: name, Path: "/", ID: id}
	if document != "" {
		i.Inline = []model.InlinePolicy{{Name: "p", Document: document}}
	}
	return i
}

func userKey(u *model.User) auth.Principal {
	k := model.AccessKey{ID: "AKIA", Account: u.Account, Kind: model.KeyUser, UserID: u.ID, UserARN: u.ARN()}
	return auth.NewPrincipal(k, "us-east-1", "ecs")
}

func allow(actions, rest string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,` + rest + `}]}`
}

// [D] The condition keys of ECS, by what requests set and rows have.
func TestConditions(t *testing.T) {
	scope := model.Scope{Account: account, Region: "us-east-1"}
	for _, c := range []struct {
		rule, condition, op string
		in                  any
		ok                  bool
	}{
		{"cluster", `{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:us-east-1:111122223333:cluster/c"}}`, "ListTasks", &ecs.ListTasksInput{Cluster: new("c")}, true},
		{"another cluster", `{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:us-east-1:111122223333:cluster/c"}}`, "ListTasks", &ecs.ListTasksInput{}, false},
		{"resource tag", `{"StringEquals":{"aws:ResourceTag/team":"a"}}`, "DeleteCluster", &ecs.DeleteClusterInput{Cluster: new("c")}, true},
		{"ecs: resource tag", `{"StringEquals":{"ecs:ResourceTag/Team":"a"}}`, "DeleteCluster", &ecs.DeleteClusterInput{Cluster: new("c")}, true},
		{"no such tag", `{"StringEquals":{"aws:ResourceTag/team":"a"}}`, "DeleteCluster", &ecs.DeleteClusterInput{Cluster: new("d")}, false},
		{"principal tag", `{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}`, "DeleteCluster", &ecs.DeleteClusterInput{Cluster: new("c")}, true},
		{"request tag", `{"StringEquals":{"aws:RequestTag/team":"a"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`, "TagResource",
			&ecs.TagResourceInput{ResourceArn: new("arn:aws:ecs:us-east-1:111122223333:cluster/c"), Tags: []types.Tag{{Key: new("team"), Value: new("a")}}}, true},
		{"one tag more", `{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}`, "TagResource",
			&ecs.TagResourceInput{ResourceArn: new("arn:aws:ecs:us-east-1:111122223333:cluster/c"), Tags: []types.Tag{{Key: new("team")}, {Key: new("x")}}}, false},
		{"exec", `{"Bool":{"ecs:enable-execute-command":"false"}}`, "UpdateService", &ecs.UpdateServiceInput{Service: new("w"), EnableExecuteCommand: new(bool)}, true},
		{"container name", `{"StringEquals":{"ecs:container-name":"app"}}`, "ExecuteCommand", &ecs.ExecuteCommandInput{Task: new("t"), Container: new("side")}, false},
		{"account setting", `{"StringEquals":{"ecs:account-setting":"containerInsights"}}`, "PutAccountSetting", &ecs.PutAccountSettingInput{Name: "containerInsights"}, true},
		{"capacity provider", `{"ForAllValues:StringEquals":{"ecs:capacity-provider":"FARGATE"}}`, "RunTask",
			&ecs.RunTaskInput{TaskDefinition: new("w:1"), CapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: new("FARGATE_SPOT")}}}, false},
		{"privileged", `{"Bool":{"ecs:privileged":"false"}}`, "RegisterTaskDefinition",
			&ecs.RegisterTaskDefinitionInput{Family: new("f"), ContainerDefinitions: []types.ContainerDefinition{{Privileged: new(true)}}}, false},
		{"source address", `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, "ListClusters", &ecs.ListClustersInput{}, true},
		{"boundary", `{"ArnEquals":{"iam:PermissionsBoundary":"arn:aws:iam::111122223333:policy/b"}}`, "CreateRole",
			&iam.CreateRoleInput{RoleName: new("r"), PermissionsBoundary: new("arn:aws:iam::111122223333:policy/b")}, true},
		{"no boundary", `{"ArnEquals":{"iam:PermissionsBoundary":"arn:aws:iam::111122223333:policy/b"}}`, "CreateRole", &iam.CreateRoleInput{RoleName: new("r")}, false},
	} {
		u := &model.User{Identity: identity("ann", "AIDAANN", allow(`"*"`, `"Resource":"*","Condition":`+c.condition))}
		u.Tags = []model.Tag{{Key: "Team", Value: "a"}}
		rows := tables(t, func(tx *state.Tx) {
			tx.Users.Put(u)
			tx.Clusters.Put(&model.Cluster{Scope: scope, Name: "c", Tags: []model.Tag{{Key: "team", Value: "a"}}})
		})
		service := "ecs"
		if c.op == "CreateRole" {
			service = "iam"
		}
		call := &access.Call{Principal: userKey(u), Service: service, Operation: c.op, Input: c.in, Now: now, SourceIP: "10.1.2.3"}
		if err := new(access.Access).Authorize(rows, call); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
}

// [D] A service becomes a role that trusts it, in whose name it asks; the session ends with the task that it is for.
func TestAssume(t *testing.T) {
	const taskARN = "arn:aws:ecs:us-east-1:111122223333:task/c/0123"
	scope := model.Scope{Account: account, Region: "us-east-1"}
	role := &model.Role{Identity: identity("app", "AROAAPP", allow(`"ecs:ListClusters"`, `"Resource":"*"`)), MaxSession: 3600, Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:ecs:*:111122223333:*"},"StringEquals":{"aws:SourceAccount":"111122223333"}}}}`}
	task := &model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: "0123", Last: model.TaskRunning}
	rows := tables(t, func(tx *state.Tx) { tx.Roles.Put(role); tx.Tasks.Put(task) })
	sessions, err := auth.NewSessions("s", account)
	if err != nil {
		t.Fatal(err)
	}
	var a access.Access
	q := access.Assumption{RoleARN: role.ARN(), SessionName: "0123", Duration: 6 * time.Hour, Service: "ecs-tasks.amazonaws.com", SourceARN: taskARN, Task: taskARN, Now: now}
	c, session, err := a.Assume(rows, sessions, &q)
	if err != nil {
		t.Fatal(err)
	}
	if session.ARN != "arn:aws:sts::111122223333:assumed-role/app/0123" || !c.Expires.Equal(now.Add(time.Hour)) { // as long as the role allows
		t.Errorf("%+v until %s", session, c.Expires)
	}
	for rule, change := range map[string]func(*access.Assumption){
		"another service": func(q *access.Assumption) { q.Service = "ecs.amazonaws.com" },
		"another account": func(q *access.Assumption) { q.SourceARN = "arn:aws:ecs:us-east-1:999999999999:task/c/1" },
		"in no name":      func(q *access.Assumption) { q.SourceARN = "" },
		"no such role":    func(q *access.Assumption) { q.RoleARN += "s" },
	} {
		other := q
		change(&other)
		if _, _, err := a.Assume(rows, sessions, &other); model.ErrorCode(err) != "AccessDenied" {
			t.Errorf("%s: %v", rule, err)
		}
	}

	who := auth.Principal{Account: account, Region: "us-east-1", ARN: session.ARN, UserID: session.UserID, Kind: session.Kind, Session: session}
	call := &access.Call{Principal: who, Service: "ecs", Operation: "ListClusters", Input: &ecs.ListClustersInput{}, Now: now}
	if err := a.Authorize(rows, call); err != nil {
		t.Error(err)
	}
	over := *task
	over.Last = model.TaskStopped
	stopped := tables(t, func(tx *state.Tx) { tx.Roles.Put(role); tx.Tasks.Put(&over) })
	if err := a.Authorize(stopped, call); model.ErrorCode(err) != "UnrecognizedClientException" {
		t.Error(err)
	}
}

// BenchmarkAuthorize decides RunTask for the root user, who is not asked for, and for a user with a group and AWS's policies.
func BenchmarkAuthorize(b *testing.B) {
	u := &model.User{Identity: identity("ann", "AIDAANN", allow(`"ecs:RunTask"`, `"Resource":"*","Condition":{"ArnLike":{"ecs:cluster":"arn:aws:ecs:*:*:cluster/c"}}`))}
	u.Attached = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"}
	g := &model.Group{Identity: identity("crew", "AGPA", allow(`["iam:Get*","iam:List*"]`, `"Resource":"*"`))}
	u.Groups = []string{g.Key()}
	rows := tables(b, func(tx *state.Tx) { tx.Users.Put(u); tx.Groups.Put(g) })
	for name, p := range map[string]auth.Principal{
		"root": auth.NewPrincipal(model.AccessKey{ID: "root", Account: account, Kind: model.KeyRoot}, "us-east-1", "ecs"), "user": userKey(u),
	} {
		b.Run(name, func(b *testing.B) {
			var a access.Access
			call := &access.Call{Principal: p, Service: "ecs", Operation: "RunTask", Input: &ecs.RunTaskInput{Cluster: new("c"), TaskDefinition: new("web:1")}, Now: now}
			b.ReportAllocs()
			for b.Loop() {
				if err := a.Authorize(rows, call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A refusal has the message that Encode makes of it, for the account of who calls.
func TestRefusalsAreEncoded(t *testing.T) {
	u := &model.User{Identity: identity("ann", "AIDAANN", allow(`"ecs:ListClusters"`, `"Resource":"*"`))}
	rows := tables(t, func(tx *state.Tx) { tx.Users.Put(u) })
	a := access.Access{Encode: func(of string, why policy.Refusal) string {
		return of + " " + why.Context.Action + " " + why.Explanation
	}}
	err := a.Authorize(rows, &access.Call{Principal: userKey(u), Service: "ecs", Operation: "DeleteCluster", Input: &ecs.DeleteClusterInput{}, Now: now})
	if e, ok := errors.AsType[*model.Error](err); !ok || e.Encoded != account+" ecs:DeleteCluster refused: no identity-based policy allows it" {
		t.Errorf("%+v", err)
	}
}
