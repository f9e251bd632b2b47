package server_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/roadstead/roadstead/server"
)

// warned are the warnings of the server's events, the oldest first: "NAME RESOURCE".
func warned(t *testing.T, s *server.Server) (out []string) {
	t.Helper()
	for e := range s.DB().Snapshot().Events.All() {
		var d struct{ EventType, EventName, Resource, Principal, Reason string }
		ok(t, json.Unmarshal([]byte(e.Detail), &d))
		if e.DetailType != "Roadstead Over-Permissive Policy" || d.EventType != "WARN" || !strings.Contains(d.Reason, "allows every action on every resource") || d.Principal == "" {
			t.Errorf("%s %s", e.DetailType, e.Detail)
		}
		out = append(out, d.EventName+" "+d.Resource[strings.LastIndexAny(d.Resource, "/")+1:])
	}
	slices.Sort(out)
	return out
}

// MISSION row 82: whoever writes or gives a policy that allows everything is warned of, and so is a definition with such a role; a
// report names them; a server that denies them starts no tasks with them.
func TestWideRolesAreTold(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, server.Config{Dev: true, DataDir: dir})
	root := as(s, "root", "secret", "")
	all, narrow := document(statement("Allow", "*", "*", "")), document(statement("Allow", "ecs:*", "*", ""))
	arns := map[string]string{}
	for _, name := range []string{"inline", "attached", "bounded", "careful"} {
		r, err := root.iam.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
		ok(t, err)
		arns[name] = *r.Role.Arn
	}
	put := func(role, text string) {
		t.Helper()
		_, err := root.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("p"), PolicyDocument: &text})
		ok(t, err)
	}
	put("inline", all)
	put("bounded", all)
	put("careful", narrow)
	put("careful", document(statement("Allow", "*", "*", `{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`)))
	_, err := root.iam.AttachRolePolicy(t.Context(), &iam.AttachRolePolicyInput{RoleName: aws.String("attached"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
	ok(t, err)
	made, err := root.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("wide"), PolicyDocument: &all})
	ok(t, err)
	few, err := root.iam.CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("few"), PolicyDocument: &narrow})
	ok(t, err)
	_, err = root.iam.CreatePolicyVersion(t.Context(), &iam.CreatePolicyVersionInput{PolicyArn: made.Policy.Arn, PolicyDocument: &all})
	ok(t, err)
	_, err = root.iam.PutRolePermissionsBoundary(t.Context(), &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("bounded"), PermissionsBoundary: few.Policy.Arn})
	ok(t, err)
	const policyName = "OVER_PERMISSIVE_POLICY "
	if got, want := warned(t, s), []string{policyName + "attached", policyName + "bounded", policyName + "inline", policyName + "wide", policyName + "wide"}; !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
	for _, name := range []string{"inline", "bounded", "careful"} {
		_, err := root.ecs.RegisterTaskDefinition(t.Context(), definition(name, arns[name]))
		ok(t, err)
	}
	if got := warned(t, s); len(got) != 6 || got[5] != "OVER_PERMISSIVE_ROLE inline:1" {
		t.Errorf("warnings %q", got)
	}
	var page struct {
		Roles []struct {
			Role        string
			Statements  []struct{ Policy, Statement string }
			Definitions []string
			Tasks       int
		}
	}
	ok(t, dial(t, s, "root", "secret").Do(t.Context(), "GET", "/roadstead/v1/reports/roles", nil, &page))
	got := fmt.Sprint(page.Roles)
	want := "[{" + arns["attached"] + " [{arn:aws:iam::aws:policy/AdministratorAccess 1}] [] 0} {" + arns["inline"] + " [{p 1}] [inline:1] 0}]"
	if got != want {
		t.Errorf("report %s, want %s", got, want)
	}

	run := func(root somebody, definition string) error {
		_, err := root.ecs.RunTask(t.Context(), &ecs.RunTaskInput{TaskDefinition: &definition})
		return err
	}
	admitted(t, run(root, "inline"))
	stop()
	s, _ = open(t, server.Config{Dev: true, DataDir: dir, DenyWideRoles: true})
	root = as(s, "root", "secret", "")
	_, err = root.ecs.RegisterTaskDefinition(t.Context(), definition("other", arns["attached"]))
	refused(t, err, "ClientException", "The role '"+arns["attached"]+"' allows every action on every resource (statement 1 of the policy arn:aws:iam::aws:policy/AdministratorAccess), and this control plane runs no tasks with such roles.")
	refused(t, run(root, "inline"), "ClientException", "The role '"+arns["inline"]+"' allows every action on every resource (statement 1 of the policy p), and this control plane runs no tasks with such roles.")
	admitted(t, run(root, "bounded"))
	_, err = root.ecs.RegisterTaskDefinition(t.Context(), definition("other", arns["bounded"]))
	ok(t, err)
}
