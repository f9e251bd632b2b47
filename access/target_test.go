package access

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/state"
)

func inputs() map[string]reflect.Type {
	return map[string]reflect.Type{
		"ecs": reflect.TypeFor[*ecs.Client](), "ecr": reflect.TypeFor[*ecr.Client](), "iam": reflect.TypeFor[*iam.Client](), "sts": reflect.TypeFor[*sts.Client](),
		"secretsmanager": reflect.TypeFor[*secretsmanager.Client](), "logs": reflect.TypeFor[*logs.Client](), "ssm": reflect.TypeFor[*ssm.Client](), "kms": reflect.TypeFor[*kms.Client](),
	}
}

// notServed says of operations that name their things in members that no table here knows that they are not served: whoever serves
// one has to give it its members.
func notServed(name string) bool {
	for _, part := range []string{"Daemon", "Gateway", "Express", "SAML", "ServerCertificate", "MFADevice", "LoginProfile", "ServiceLastAccessed", "ServiceLinkedRole", "AccessReport"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return slices.Contains([]string{
		"ContinueServiceDeployment", "ChangePassword", "AcquireRole", "GetAccessKeyLastUsed", "ListPoliciesGrantingServiceAccess", "AssumeRoleWithWebIdentity",
	}, name)
}

// filledWith sets every text of a request to a value, lists to one element.
func filledWith(t reflect.Type, text string, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	switch {
	case depth > 3:
	case t.Kind() == reflect.Pointer:
		v = reflect.New(t.Elem())
		v.Elem().Set(filledWith(t.Elem(), text, depth))
	case t.Kind() == reflect.Slice:
		v = reflect.Append(v, filledWith(t.Elem(), text, depth))
	case t.Kind() == reflect.String:
		v.SetString(text)
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				v.Field(i).Set(filledWith(t.Field(i).Type, text, depth+1))
			}
		}
	}
	return v
}

// [D] Whatever a request names is what it is decided about: no member is overlooked, in any operation that is about something.
func TestEveryOperationNamesItsTargets(t *testing.T) {
	for service, client := range inputs() {
		for _, op := range policy.Operations(service) {
			method, ok := client.MethodByName(op.Name)
			if !ok || len(op.Resources) == 0 || notServed(op.Name) {
				continue
			}
			in := filledWith(method.Type.In(2), "thing", 0).Interface()
			d := decider{
				Access: &Access{}, tables: emptyTables(), op: &op, who: &policy.Principal{}, policies: &policy.Policies{},
				Call: &Call{Principal: auth.Principal{Account: "111122223333", Region: "us-east-1", Kind: model.KeyUser}, Service: service, Operation: op.Name, Input: in},
			}
			targets := d.targets()
			if len(targets) == 0 {
				t.Errorf("%s %s is about nothing", service, op.Name)
			}
			for _, target := range targets {
				if !strings.Contains(target.arn, "thing") || strings.ContainsAny(target.arn, "{}") {
					t.Errorf("%s %s is about %q", service, op.Name, target.arn)
				}
			}
		}
	}
}

func emptyTables() *state.Tables {
	return state.Open(state.Config{Backend: state.NewMemory().Member()}).Snapshot().Tables
}

// [D] What requests of ECS are about, and in which cluster.
func TestECSTargets(t *testing.T) {
	const scope = "arn:aws:ecs:us-east-1:111122223333:"
	for _, c := range []struct {
		op      string
		in      any
		want    []string
		cluster string
	}{
		{"StopTask", &ecs.StopTaskInput{Task: new("t1")}, []string{scope + "task/default/t1"}, scope + "cluster/default"},
		{"StopTask", &ecs.StopTaskInput{Task: new("t1"), Cluster: new("c")}, []string{scope + "task/c/t1"}, scope + "cluster/c"},
		{"StopTask", &ecs.StopTaskInput{Task: new(scope + "task/t1"), Cluster: new(scope + "cluster/c")}, []string{scope + "task/c/t1"}, scope + "cluster/c"},
		{"StopTask", &ecs.StopTaskInput{Task: new(scope + "task/d/t1"), Cluster: new("c")}, []string{scope + "task/d/t1"}, scope + "cluster/d"},
		{"StopTask", &ecs.StopTaskInput{Task: new("arn:aws:ecs:us-east-1:999999999999:task/c/t1")}, []string{"arn:aws:ecs:us-east-1:999999999999:task/c/t1"}, "arn:aws:ecs:us-east-1:999999999999:cluster/c"},
		{"DescribeTasks", &ecs.DescribeTasksInput{Tasks: []string{"a", "b"}}, []string{scope + "task/default/a", scope + "task/default/b"}, scope + "cluster/default"},
		{"DescribeClusters", &ecs.DescribeClustersInput{}, []string{scope + "cluster/default"}, scope + "cluster/default"},
		{"RunTask", &ecs.RunTaskInput{TaskDefinition: new("web"), Cluster: new("c")}, []string{scope + "task-definition/web:*"}, scope + "cluster/c"},
		{"RunTask", &ecs.RunTaskInput{TaskDefinition: new("web:3")}, []string{scope + "task-definition/web:3"}, scope + "cluster/default"},
		{"RunTask", &ecs.RunTaskInput{TaskDefinition: new(scope + "task-definition/web:3")}, []string{scope + "task-definition/web:3"}, scope + "cluster/default"},
		{"RegisterTaskDefinition", &ecs.RegisterTaskDefinitionInput{Family: new("web")}, []string{scope + "task-definition/web:*"}, ""},
		{"CreateService", &ecs.CreateServiceInput{ServiceName: new("w"), Cluster: new("c")}, []string{scope + "service/c/w"}, scope + "cluster/c"},
		{"DescribeServices", &ecs.DescribeServicesInput{Services: []string{scope + "service/w"}}, []string{scope + "service/default/w"}, scope + "cluster/default"},
		{"ListTasks", &ecs.ListTasksInput{Cluster: new("c")}, []string{"*"}, scope + "cluster/c"},
		{"ListServices", &ecs.ListServicesInput{Cluster: new("c")}, []string{"*"}, scope + "cluster/c"},
		{"DeleteTaskSet", &ecs.DeleteTaskSetInput{Cluster: new("c"), Service: new("w"), TaskSet: new("ecs-svc/1")}, []string{scope + "task-set/c/w/ecs-svc/1"}, scope + "cluster/c"},
		{"ExecuteCommand", &ecs.ExecuteCommandInput{Task: new("t1")}, []string{scope + "cluster/default", scope + "task/default/t1"}, scope + "cluster/default"},
		{"TagResource", &ecs.TagResourceInput{ResourceArn: new(scope + "cluster/c")}, []string{scope + "cluster/c"}, scope + "cluster/c"},
	} {
		op, ok := policy.LookupOperation("ecs", c.op)
		if !ok {
			t.Fatal(c.op)
		}
		d := decider{Access: &Access{}, tables: emptyTables(), op: &op, Call: &Call{
			Principal: auth.Principal{Account: "111122223333", Region: "us-east-1"}, Service: "ecs", Operation: c.op, Input: c.in,
		}}
		var got []string
		for _, target := range d.targets() {
			got = append(got, target.arn)
			if c.cluster != "" && target.cluster != c.cluster {
				t.Errorf("%s: in %s, want %s", c.op, target.cluster, c.cluster)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s is about %q, want %q", c.op, got, c.want)
		}
	}
}

// [D] Coming back to an exec session, and ending it, are about that session.
func TestSessionTargets(t *testing.T) {
	id := "s1"
	for name, in := range map[string]any{"ResumeSession": &ssm.ResumeSessionInput{SessionId: &id}, "TerminateSession": &ssm.TerminateSessionInput{SessionId: &id}} {
		op, _ := policy.LookupOperation("ssm", name)
		d := decider{Access: &Access{}, tables: emptyTables(), op: &op, Call: &Call{
			Principal: auth.Principal{Account: "111122223333", Region: "us-east-1"}, Service: "ssm", Operation: name, Input: in,
		}}
		if got := d.targets(); len(got) != 1 || got[0].arn != "arn:aws:ssm:us-east-1:111122223333:session/s1" {
			t.Errorf("%s is about %+v", name, got)
		}
	}
}

// [D] A session is about the task at whose container it is, and about the document that it goes by.
func TestStartSessionTargets(t *testing.T) {
	at, document := "ecs:my_app_"+strings.Repeat("a", 32)+"_rt-1", "AWS-StartPortForwardingSession"
	op, _ := policy.LookupOperation("ssm", "StartSession")
	d := decider{Access: &Access{}, tables: emptyTables(), op: &op, Call: &Call{
		Principal: auth.Principal{Account: "111122223333", Region: "us-east-1"}, Service: "ssm", Operation: op.Name,
		Input: &ssm.StartSessionInput{Target: &at, DocumentName: &document},
	}}
	got := d.targets()
	if len(got) != 2 || got[0].arn != "arn:aws:ecs:us-east-1:111122223333:task/my_app/"+strings.Repeat("a", 32) ||
		got[1].arn != "arn:aws:ssm:us-east-1::document/AWS-StartPortForwardingSession" {
		t.Errorf("%+v", got)
	}
}

// [I] A request that names a thing in two members is about both.
func TestNothingHidesBehindAnother(t *testing.T) {
	op, _ := policy.LookupOperation("logs", "FilterLogEvents")
	mine, theirs := "mine", "theirs"
	d := decider{Access: &Access{}, tables: emptyTables(), op: &op, Call: &Call{
		Principal: auth.Principal{Account: "111122223333", Region: "us-east-1"}, Service: "logs", Operation: op.Name,
		Input: &logs.FilterLogEventsInput{LogGroupName: &mine, LogGroupIdentifier: &theirs},
	}}
	if got := d.targets(); len(got) != 2 || !strings.Contains(got[1].arn, "theirs") {
		t.Errorf("%+v", got)
	}
}

// [O] Calls of CloudWatch Logs end with "log-stream:" in what they are about, or with the stream.
func TestLogsTargets(t *testing.T) {
	const scope = "arn:aws:logs:us-east-1:111122223333:log-group:"
	for _, c := range []struct {
		op   string
		in   any
		want string
	}{
		{"CreateLogGroup", &logs.CreateLogGroupInput{LogGroupName: new("/a/b")}, scope + "/a/b:log-stream:"},
		{"PutLogEvents", &logs.PutLogEventsInput{LogGroupName: new("g"), LogStreamName: new("s/1")}, scope + "g:log-stream:s/1"},
		{"GetLogEvents", &logs.GetLogEventsInput{LogGroupIdentifier: new(scope + "g"), LogStreamName: new("s")}, scope + "g:log-stream:s"},
		{"FilterLogEvents", &logs.FilterLogEventsInput{LogGroupName: new("g"), LogStreamNames: []string{"s"}}, scope + "g:log-stream:"},
		{"DescribeLogGroups", &logs.DescribeLogGroupsInput{}, scope + ":log-stream:"},
		{"DescribeLogGroups", &logs.DescribeLogGroupsInput{LogGroupNamePrefix: new("/a")}, scope + "/a:log-stream:"},
		{"TagResource", &logs.TagResourceInput{ResourceArn: new(scope + "g:*")}, scope + "g"},
	} {
		op, ok := policy.LookupOperation("logs", c.op)
		if !ok {
			t.Fatal(c.op)
		}
		d := decider{Access: &Access{}, tables: emptyTables(), op: &op, Call: &Call{
			Principal: auth.Principal{Account: "111122223333", Region: "us-east-1"}, Service: "logs", Operation: c.op, Input: c.in,
		}}
		if got := d.targets(); len(got) != 1 || got[0].arn != c.want {
			t.Errorf("%s is about %+v, want %s", c.op, got, c.want)
		}
	}
}

// [I] No version of a parameter is another thing than the parameter: a policy about it holds for all of them.
func TestParameterTargets(t *testing.T) {
	const want = "arn:aws:ssm:us-east-1:111122223333:parameter/a/b"
	op, _ := policy.LookupOperation("ssm", "GetParameter")
	for _, ref := range []string{"/a/b", "a/b", "/a/b:3", "/a/b:prod", want, want + ":prod", want + ":3:4"} {
		d := decider{Access: &Access{}, tables: emptyTables(), op: &op, Call: &Call{
			Principal: auth.Principal{Account: "111122223333", Region: "us-east-1"}, Service: "ssm", Operation: op.Name, Input: &ssm.GetParameterInput{Name: &ref},
		}}
		if got := d.targets(); len(got) != 1 || got[0].arn != want {
			t.Errorf("%s is about %+v", ref, got)
		}
	}
}
