package policy_test

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/wire"
)

// [D] Every operation that a service has is authorised as something, once; and nothing else is, but an agent's connections, and copies of
// images.
func TestEveryOperationIsAuthorised(t *testing.T) {
	for _, service := range []*wire.Service{wire.ECS(), wire.ECR(), wire.IAM(), wire.STS()} {
		seen := map[string]bool{}
		for _, o := range policy.Operations(service.Name) {
			if seen[o.Name] {
				t.Errorf("%s: %s stands twice", service.Name, o.Name)
			}
			seen[o.Name] = true
			if !slices.Contains(service.Operations, o.Name) && !slices.Contains([]string{"Poll", "StartTelemetrySession", "ReplicateImage", "BatchImportUpstreamImage"}, o.Name) {
				t.Errorf("%s has no operation %s", service.Name, o.Name)
			}
		}
		for _, name := range service.Operations {
			if !seen[name] {
				t.Errorf("%s: %s is authorised as nothing", service.Name, name)
			}
		}
	}
	if policy.Operations("s33") != nil {
		t.Error("a service out of nothing")
	}
}

// [D] Tables are well formed: actions by the name of their service, names in braces from a list, keys with a prefix.
func TestOperationTables(t *testing.T) {
	names := strings.Fields(`alias capacityProvider certificate cluster containerInstance daemon daemonDeployment daemonRevision device entityPath family gateway group
		instanceProfile key logGroup logStream name parameter pathPrefix policy provider repository resource revision role secret service session
		serviceDeployment serviceRevision task taskSet user`)
	key := regexp.MustCompile(`^(aws|ecs|ecr|iam|kms|sts|ssm|secretsmanager):[A-Za-z/-]+(/\*)?$`)
	for _, service := range []string{"ecs", "ecr", "iam", "kms", "logs", "secretsmanager", "ssm", "sts"} {
		for _, o := range policy.Operations(service) {
			if o.Action != service+":"+o.Name && o.Action != "" {
				t.Errorf("%s: action %s", o.Name, o.Action)
			}
			for _, k := range o.Keys {
				if !key.MatchString(k) {
					t.Errorf("%s: key %q", o.Name, k)
				}
			}
			if once := slices.Compact(slices.Sorted(slices.Values(o.Keys))); len(once) != len(o.Keys) {
				t.Errorf("%s: a key stands twice in %q", o.Name, o.Keys)
			}
			for _, arn := range o.ARNs(model.Scope{Account: home, Region: "us-east-1"}, func(name string) string {
				if !slices.Contains(names, name) {
					t.Errorf("%s: {%s}", o.Name, name)
				}
				return "x"
			}) {
				if a, ok := model.ParseARN(arn); arn != "*" && (!ok || a.Account != home || strings.ContainsAny(arn, "{}*")) {
					t.Errorf("%s: %s", o.Name, arn)
				}
			}
		}
	}
}

// [D] A few rows in full, and what an unknown name becomes.
func TestOperations(t *testing.T) {
	scope := model.Scope{Account: home, Region: "us-east-1"}
	for _, c := range []struct {
		service, name string
		values        map[string]string
		action        string
		want          []string
	}{
		{"ecs", "RunTask", map[string]string{"family": "web", "revision": "7"}, "ecs:RunTask", []string{"arn:aws:ecs:us-east-1:111122223333:task-definition/web:7"}},
		{"ecs", "RegisterTaskDefinition", map[string]string{"family": "web"}, "ecs:RegisterTaskDefinition", []string{"arn:aws:ecs:us-east-1:111122223333:task-definition/web:*"}},
		{"ecs", "ExecuteCommand", map[string]string{"cluster": "prod", "task": "0123"}, "ecs:ExecuteCommand", []string{"arn:aws:ecs:us-east-1:111122223333:cluster/prod", "arn:aws:ecs:us-east-1:111122223333:task/prod/0123"}},
		{"ecs", "ListTasks", map[string]string{"cluster": "prod"}, "ecs:ListTasks", []string{"*"}}, // [O]
		{"ecs", "ListTasks", map[string]string{"cluster": "prod", "containerInstance": "i1"}, "ecs:ListTasks", []string{"arn:aws:ecs:us-east-1:111122223333:container-instance/prod/i1"}},
		{"ecs", "ListClusters", nil, "ecs:ListClusters", []string{"*"}},
		{"ecr", "BatchGetImage", map[string]string{"repository": "a/b"}, "ecr:BatchGetImage", []string{"arn:aws:ecr:us-east-1:111122223333:repository/a/b"}},
		{"iam", "GetUser", map[string]string{"user": "ops/ann"}, "iam:GetUser", []string{"arn:aws:iam::111122223333:user/ops/ann"}},
		{"sts", "AssumeRole", map[string]string{"role": "web"}, "sts:AssumeRole", []string{"arn:aws:iam::111122223333:role/web"}},
		{"sts", "GetFederationToken", map[string]string{"name": "bob"}, "sts:GetFederationToken", []string{"arn:aws:sts::111122223333:federated-user/bob"}},
		{"sts", "GetCallerIdentity", nil, "", []string{"*"}},
		{"logs", "FilterLogEvents", map[string]string{"logGroup": "/ecs/web"}, "logs:FilterLogEvents", []string{"arn:aws:logs:us-east-1:111122223333:log-group:/ecs/web:log-stream:"}},
		{"ssm", "GetParameter", map[string]string{"parameter": "a/b"}, "ssm:GetParameter", []string{"arn:aws:ssm:us-east-1:111122223333:parameter/a/b"}},
		{"secretsmanager", "GetSecretValue", map[string]string{"secret": "db-a1b2c3"}, "secretsmanager:GetSecretValue", []string{"arn:aws:secretsmanager:us-east-1:111122223333:secret:db-a1b2c3"}},
	} {
		o, ok := policy.LookupOperation(c.service, c.name)
		if got := o.ARNs(scope, func(name string) string { return c.values[name] }); !ok || o.Action != c.action || !slices.Equal(got, c.want) {
			t.Errorf("%s: %s on %q, want %s on %q", c.name, o.Action, got, c.action, c.want)
		}
	}
	if _, ok := policy.LookupOperation("ecs", "Nothing"); ok {
		t.Error("an operation out of nothing")
	}
}

// [D] The members that hand over roles, and those that need a further action, are members of the request.
func TestMembersExist(t *testing.T) {
	inputs := map[string]reflect.Type{
		"ecs": reflect.TypeFor[*ecs.Client](), "iam": reflect.TypeFor[*iam.Client](), "sts": reflect.TypeFor[*sts.Client](),
	}
	passing := 0
	for service, client := range inputs {
		for _, o := range policy.Operations(service) {
			var members []string
			for _, p := range o.Passes {
				passing++
				named, inside, ok := strings.Cut(p.Member, "->")
				members = append(members, named)
				if ok && !member(reflect.TypeFor[ecs.RegisterTaskDefinitionInput](), inside) {
					t.Errorf("%s: a task definition has no %s", o.Name, inside)
				}
			}
			for _, a := range o.Also {
				members = append(members, a.Member)
				if other, name, _ := strings.Cut(a.Action, ":"); other != service || name == "" {
					t.Errorf("%s: %s", o.Name, a.Action)
				}
			}
			if len(members) == 0 {
				continue
			}
			method, ok := client.MethodByName(o.Name)
			if !ok {
				t.Fatalf("the client of %s cannot %s", service, o.Name)
			}
			for _, m := range members {
				if input := method.Type.In(2).Elem(); !member(input, m) {
					t.Errorf("%s has no %s", input, m)
				}
			}
		}
	}
	if passing == 0 {
		t.Error("nothing passes a role")
	}
}

// member says whether a struct has a member by its path, as AWS writes it: "loadBalancers[].advancedConfiguration.roleArn".
func member(t reflect.Type, path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		name, list := strings.CutSuffix(name, "[]")
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		f, ok := t.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name) })
		if !ok || list != (f.Type.Kind() == reflect.Slice && strings.Contains(path, name+"[]")) {
			return false
		}
		if t = f.Type; list {
			t = t.Elem()
		}
	}
	return true
}

// [D] No role of a request of ECS is forgotten: wherever a request can name one, passing it is asked for.
func TestRolesArePassed(t *testing.T) {
	client := reflect.TypeFor[*ecs.Client]()
	for _, o := range policy.Operations("ecs") {
		method, ok := client.MethodByName(o.Name)
		if !ok {
			continue // an agent's connections
		}
		var want, got []string
		roles(method.Type.In(2).Elem(), "", &want)
		for _, p := range o.Passes {
			if !strings.Contains(p.Member, "->") {
				got = append(got, strings.ToLower(p.Member))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s passes %q, its request has %q", o.Name, got, want)
		}
	}
}

// roles collects the paths of a struct's members that are roles, in lower case.
func roles(t reflect.Type, path string, out *[]string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || strings.HasPrefix(t.PkgPath(), "time") {
		return
	}
	for f := range t.Fields() {
		name, kind := strings.ToLower(f.Name), f.Type
		at := path + name
		if kind.Kind() == reflect.Slice {
			at, kind = at+"[]", kind.Elem()
		}
		switch {
		case !f.IsExported():
		case name == "role" || strings.HasSuffix(name, "rolearn"):
			*out = append(*out, at)
		default:
			roles(kind, at+".", out)
		}
	}
}
