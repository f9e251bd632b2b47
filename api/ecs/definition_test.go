package ecs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestRegisterTaskDefinition(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	out := must(s.RegisterTaskDefinition(ctx, &sdk.RegisterTaskDefinitionInput{Family: aws.String("web"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("busybox"), Memory: aws.Int32(64)}},
		Tags:                 []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	d := out.TaskDefinition
	same(t, "revision", words(*d.TaskDefinitionArn, d.Revision, d.Status, *d.RegisteredBy, d.RegisteredAt.UnixMilli(), len(out.Tags)),
		words(defARN+"web:1", 1, "ACTIVE", "arn:aws:iam::000000000000:root", int64(1_700_000_000_000), 1))
	s.define("web")
	for _, n := range []string{"web:1", "web:2"} {
		must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: &n}))(t)
	}
	must(s.DeleteTaskDefinitions(ctx, &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: []string{"web:1", "web:2"}}))(t)
	same(t, "the number line is never reset [D]", s.define("web"), defARN+"web:3")
}

// TestDefinitionRoundTrip registers what a describe shows, without the read-only members, and gets the same
// (MISSION trap 27) [D].
func TestDefinitionRoundTrip(t *testing.T) {
	s := newServer(t)
	for name, body := range map[string]string{
		"bridge": `{"family":"f","containerDefinitions":[{"name":"a","image":"i","memory":64,"portMappings":[{"containerPort":80}],
			"environment":[{"name":"B","value":"2"},{"name":"A","value":"1"}],"dependsOn":[],"logConfiguration":{"logDriver":"json-file","options":{"max-size":"1m"}}}],
			"volumes":[{"name":"v","host":{}}],"runtimePlatform":{"cpuArchitecture":"ARM64","operatingSystemFamily":"LINUX"}}`,
		"fargate": `{"family":"f","cpu":"1 vCPU","memory":"2 GB","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],
			"containerDefinitions":[{"name":"a","image":"i","portMappings":[{"containerPort":80}],"healthCheck":{"command":["CMD","true"]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			s.TB = t
			s.rawOK("RegisterTaskDefinition", body)
			described := s.rawOK("DescribeTaskDefinition", `{"taskDefinition":"f"}`)["taskDefinition"].(map[string]any)
			again := s.rawOK("RegisterTaskDefinition", mustJSON(t, withoutReadOnly(described)))["taskDefinition"].(map[string]any)
			same(t, "definition", mustJSON(t, withoutReadOnly(again)), mustJSON(t, withoutReadOnly(described)))
		})
	}
}

func withoutReadOnly(d map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range d {
		switch k {
		case "taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy":
		default:
			out[k] = v
		}
	}
	return out
}

func mustJSON(t testing.TB, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDescribeTaskDefinition(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	for range 3 {
		s.define("web", func(in *sdk.RegisterTaskDefinitionInput) { in.Tags = []types.Tag{{Key: aws.String("k")}} })
	}
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:3")}))(t)
	for _, c := range []struct{ rule, ref, want string }{
		{"a family is its latest ACTIVE revision [D]", "web", "web:2 ACTIVE"},
		{"a revision, any status [D]", "web:3", "web:3 INACTIVE"},
		{"an ARN", defARN + "web:1", "web:1 ACTIVE"},
		{"an ARN of a family", defARN + "web", "web:2 ACTIVE"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			d := must(s.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: &c.ref}))(t)
			same(t, c.ref, words(strings.TrimPrefix(*d.TaskDefinition.TaskDefinitionArn, defARN), d.TaskDefinition.Status), c.want)
			same(t, "tags only if asked [D]", len(d.Tags), 0)
		})
	}
	d := must(s.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String("web"), Include: []types.TaskDefinitionField{"TAGS"}}))(t)
	same(t, "include=TAGS [D]", len(d.Tags), 1)
}

func TestDefinitionRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.define("web")
	describe := func(ref string) func() error {
		return func() error {
			return fails(s.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: &ref}))
		}
	}
	deregister := func(ref string) func() error {
		return func() error {
			return fails(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: &ref}))
		}
	}
	const unable = "Unable to describe task definition."
	const unknown = "The specified task definition does not exist. Specify a valid account, family, revision and try again."
	s.refuses(t, []refused{
		{"describe unknown family [O]", "ClientException", unable, describe("x")},
		{"describe unknown revision [O]", "ClientException", unable, describe("web:2")},
		{"describe nonsense [O]", "ClientException", unable, describe("web:x")},
		{"describe of another account [D]", "ClientException", unable, describe("arn:aws:ecs:us-east-1:111111111111:task-definition/web:1")},
		{"describe of another Region [D]", "ClientException", unable, describe("arn:aws:ecs:eu-west-1:000000000000:task-definition/web:1")},
		{"deregister without revision [O]", "ClientException", "Revision is missing.", deregister("web")},
		{"deregister unknown [O]", "ClientException", unknown, deregister("web:9")},
		{"deregister of another account [O]", "ClientException", unknown, deregister("arn:aws:ecs:us-east-1:111111111111:task-definition/web:1")},
		{"delete nothing [O]", "InvalidParameterException", "Task definitions cannot be empty.", func() error {
			return fails(s.DeleteTaskDefinitions(ctx, &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: []string{}}))
		}},
		{"delete more than 10 [D]", "InvalidParameterException", "Task definitions cannot have more than 10 elements.", func() error {
			return fails(s.DeleteTaskDefinitions(ctx, &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: make([]string, 11)}))
		}},
		{"no image [O]", "ClientException", "Container.image should not be null or empty.", func() error {
			_, body := s.raw("RegisterTaskDefinition", `{"family":"f","containerDefinitions":[{"name":"a","memory":4}]}`)
			return wireError(body)
		}},
		{"list status [I]", "InvalidParameterException", "Invalid task definition status 'X'.", func() error {
			return fails(s.ListTaskDefinitions(ctx, &sdk.ListTaskDefinitionsInput{Status: "X"}))
		}},
		{"list families status [I]", "InvalidParameterException", "Invalid task definition family status 'X'.", func() error {
			return fails(s.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{Status: "X"}))
		}},
		{"list sort [I]", "InvalidParameterException", "Invalid sort order 'X'.", func() error {
			return fails(s.ListTaskDefinitions(ctx, &sdk.ListTaskDefinitionsInput{Sort: "X"}))
		}},
	})
}

func TestDeleteTaskDefinitions(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.define("web")
	s.define("web")
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:1")}))(t)
	out := must(s.DeleteTaskDefinitions(ctx, &sdk.DeleteTaskDefinitionsInput{TaskDefinitions: []string{"web:1", "web:2", "web:3"}}))(t)
	same(t, "deleted", words(len(out.TaskDefinitions), out.TaskDefinitions[0].Status, out.TaskDefinitions[0].DeleteRequestedAt != nil), "1 DELETE_IN_PROGRESS true")
	same(t, "ACTIVE ones are failures [O]", reasons(out.Failures), []string{
		defARN + "web:2: The specified task definition is still in ACTIVE status. Please deregister the target and try again.", defARN + "web:3: MISSING"})
}

func TestListTaskDefinitions(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	for _, f := range []string{"web", "web-x", "a", "web", "web-x"} {
		s.define(f)
	}
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:1")}))(t)
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("a:1")}))(t)
	list := func(in sdk.ListTaskDefinitionsInput) []string {
		got := []string{}
		in.MaxResults = aws.Int32(2)
		for pages := 0; pages == 0 || in.NextToken != nil; pages++ {
			out := must(s.ListTaskDefinitions(ctx, &in))(t)
			for _, arn := range out.TaskDefinitionArns {
				got = append(got, strings.TrimPrefix(arn, defARN))
			}
			in.NextToken = out.NextToken
		}
		return got
	}
	for _, c := range []struct {
		rule string
		in   sdk.ListTaskDefinitionsInput
		want []string
	}{
		{"ACTIVE by default, by family and number [D]", sdk.ListTaskDefinitionsInput{}, []string{"web:2", "web-x:1", "web-x:2"}},
		{"familyPrefix is a whole family [D]", sdk.ListTaskDefinitionsInput{FamilyPrefix: aws.String("web")}, []string{"web:2"}},
		{"half a family is none [D]", sdk.ListTaskDefinitionsInput{FamilyPrefix: aws.String("we")}, []string{}},
		{"INACTIVE [D]", sdk.ListTaskDefinitionsInput{Status: "INACTIVE"}, []string{"a:1", "web:1"}},
		{"DESC [D]", sdk.ListTaskDefinitionsInput{Sort: "DESC"}, []string{"web-x:2", "web-x:1", "web:2"}},
	} {
		t.Run(c.rule, func(t *testing.T) { same(t, "list", list(c.in), c.want) })
	}
	for _, c := range []struct {
		rule, prefix string
		status       types.TaskDefinitionFamilyStatus
		want         []string
	}{
		{"families, ALL by default [D]", "", "", []string{"a", "web", "web-x"}},
		{"a real prefix [D]", "we", "", []string{"web", "web-x"}},
		{"ACTIVE families [D]", "", "ACTIVE", []string{"web", "web-x"}},
		{"INACTIVE families [D]", "", "INACTIVE", []string{"a"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			out := must(s.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{FamilyPrefix: &c.prefix, Status: c.status}))(t)
			same(t, "families", out.Families, c.want)
		})
	}
	out := must(s.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{MaxResults: aws.Int32(1)}))(t)
	out = must(s.ListTaskDefinitionFamilies(ctx, &sdk.ListTaskDefinitionFamiliesInput{MaxResults: aws.Int32(1), NextToken: out.NextToken}))(t)
	same(t, "second page", out.Families, []string{"web"})
}
