package ecs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func tags(pairs ...string) []types.Tag {
	out := []types.Tag{}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		out = append(out, types.Tag{Key: &k, Value: &v})
	}
	return out
}

func (s *server) tagsOf(arn string) string {
	s.Helper()
	out := []string{}
	for _, t := range must(s.ListTagsForResource(s.Context(), &sdk.ListTagsForResourceInput{ResourceArn: &arn}))(s).Tags {
		out = append(out, *t.Key+"="+*t.Value)
	}
	return strings.Join(out, " ")
}

func TestTags(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	def := s.define("web")
	task := *s.run("web", 1).Tasks[0].TaskArn
	for _, arn := range []string{clusterARN + "default", i, def, task} {
		t.Run(arn, func(t *testing.T) {
			s.TB = t
			must(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags("a=1", "b=2")}))(t)
			must(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: tags("b=3", "c=")}))(t)
			same(t, "merged [D]", s.tagsOf(arn), "a=1 b=3 c=")
			must(s.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "x"}}))(t)
			same(t, "removed [D]", s.tagsOf(arn), "b=3 c=")
		})
	}
	s.TB = t
	d := must(s.DescribeTasks(ctx, &sdk.DescribeTasksInput{Tasks: []string{task}, Include: []types.TaskField{"TAGS"}}))(t)
	same(t, "shown with the task", len(d.Tasks[0].Tags), 2)
}

func TestTagRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("old")
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("old")}))(t)
	s.cluster("c")
	tag := func(arn string, ts []types.Tag) func() error {
		return func() error { return fails(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: ts})) }
	}
	many := func(n int, prefix string) []types.Tag {
		var ts []types.Tag
		for i := range n {
			ts = append(ts, tags(prefix+strings.Repeat("x", i+1)+"=v")...)
		}
		return ts
	}
	must(s.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: aws.String(clusterARN + "c"), Tags: many(50, "")}))(t)
	const invalid, unknown = "InvalidParameterException", "The specified resource does not exist…"
	s.refuses(t, []refused{
		{"51 [D]", invalid, "A resource can have at most 50 tags.", tag(clusterARN+"c", tags("new=1"))},
		{"51 at once [D]", invalid, "A resource can have at most 50 tags.", tag(clusterARN+"c", many(51, ""))},
		{"aws: [O]", invalid, "aws: prefixed tag key names are not allowed for external use.", tag(clusterARN+"c", tags("Aws:x=1"))},
		{"key of 129 [D]", invalid, "Tag keys must be between 1 and 128 characters long.", tag(clusterARN+"c", tags(strings.Repeat("k", 129)+"=v"))},
		{"empty key [D]", invalid, "Tag keys must be between 1 and 128 characters long.", tag(clusterARN+"c", tags("=v"))},
		{"value of 257 [D]", invalid, "Tag values must be at most 256 characters long.", tag(clusterARN+"c", tags("k="+strings.Repeat("v", 257)))},
		{"a key twice [I]", invalid, "Duplicate tag keys found…", tag(clusterARN+"c", tags("k=1", "k=2"))},
		{"short ARN of a task [O]", invalid, "Long arn format must be used for tagging operations", tag(taskARN+nobody, tags("k=v"))},
		{"short ARN of an instance [O]", invalid, "Long arn format must be used for tagging operations", tag(instanceARN+nobody, tags("k=v"))},
		{"no ARN [I]", invalid, "The ARN 'c' is not valid.", tag("c", tags("k=v"))},
		{"unknown task [O]", invalid, unknown, tag(taskARN+"c/"+nobody, tags("k=v"))},
		{"unknown instance [O]", invalid, unknown, tag(instanceARN+"c/"+nobody, tags("k=v"))},
		{"unknown definition [O]", invalid, unknown, tag(defARN+"x:1", tags("k=v"))},
		{"definition without revision [I]", invalid, unknown, tag(defARN+"x", tags("k=v"))},
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", tag(clusterARN+"x", tags("k=v"))},
		{"cluster of another account [D]", "ClusterNotFoundException", "Cluster not found.", tag("arn:aws:ecs:us-east-1:111111111111:cluster/c", tags("k=v"))},
		{"inactive cluster [O]", invalid, "The specified cluster is inactive. Specify an active cluster and try again.", tag(clusterARN+"old", tags("k=v"))},
		{"untag aws: [O]", invalid, "aws: prefixed tag key names are not allowed for external use.", func() error {
			return fails(s.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: aws.String(clusterARN + "c"), TagKeys: []string{"aws:x"}}))
		}},
	})
}

func TestAccountSettings(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	const root = "arn:aws:iam::000000000000:root"
	user := "arn:aws:iam::000000000000:user/u"
	effective := func(principal *string, name types.SettingName) string {
		out := must(s.ListAccountSettings(ctx, &sdk.ListAccountSettingsInput{EffectiveSettings: true, PrincipalArn: principal, Name: name}))(t)
		return *out.Settings[0].Value
	}
	same(t, "long ARNs are on [D]", effective(nil, "taskLongArnFormat"), "enabled")
	same(t, "nothing is set", len(must(s.ListAccountSettings(ctx, &sdk.ListAccountSettingsInput{}))(t).Settings), 0)

	p := must(s.PutAccountSettingDefault(ctx, &sdk.PutAccountSettingDefaultInput{Name: "containerInsights", Value: aws.String("enabled")}))(t).Setting
	same(t, "the account's show as root's [D]", words(*p.PrincipalArn, p.Type, *p.Value), root+" user enabled")
	same(t, "and hold for users", effective(&user, "containerInsights"), "enabled")
	must(s.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: "containerInsights", Value: aws.String("enhanced"), PrincipalArn: &user}))(t)
	same(t, "until they say otherwise [D]", effective(&user, "containerInsights")+" "+effective(nil, "containerInsights"), "enhanced enabled")
	c := must(s.CreateCluster(ctx, &sdk.CreateClusterInput{}))(t).Cluster
	same(t, "new clusters follow the account [D]", *c.Settings[0].Value, "enabled")
	del := must(s.DeleteAccountSetting(ctx, &sdk.DeleteAccountSettingInput{Name: "containerInsights", PrincipalArn: &user}))(t).Setting
	same(t, "deleted", words(*del.Value, *del.PrincipalArn), "enabled "+user)
	must(s.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: "fargateTaskRetirementWaitPeriod", Value: aws.String("14")}))(t)
	out := must(s.ListAccountSettings(ctx, &sdk.ListAccountSettingsInput{PrincipalArn: aws.String("root")}))(t)
	same(t, "root's own are the account's [D]", words(len(out.Settings), out.Settings[1].Name, *out.Settings[1].Value), "2 fargateTaskRetirementWaitPeriod 14")

	all, in := 0, &sdk.ListAccountSettingsInput{EffectiveSettings: true}
	for pages := 0; pages == 0 || in.NextToken != nil; pages++ {
		page := must(s.ListAccountSettings(ctx, in))(t)
		all, in.NextToken = all+len(page.Settings), page.NextToken
		if pages == 0 {
			same(t, "10 on a page [D]", len(page.Settings), 10)
		}
	}
	same(t, "effective settings", all, 12)

	s.refuses(t, []refused{
		{"unknown name [O]", "InvalidParameterException", "Unknown setting name 'x'. Valid names: [awsvpcTrunking, containerInsights,…", func() error {
			return fails(s.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: "x", Value: aws.String("enabled")}))
		}},
		{"bad value [I]", "InvalidParameterException", "Invalid value 'x' for the setting 'awsvpcTrunking'…", func() error {
			return fails(s.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: "awsvpcTrunking", Value: aws.String("x")}))
		}},
		{"read-only [D]", "InvalidParameterException", "The setting 'guardDutyActivate' is managed by AWS…", func() error {
			return fails(s.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: "guardDutyActivate", Value: aws.String("on")}))
		}},
		{"principal of another account [I]", "InvalidParameterException", "Invalid principal ARN…", func() error {
			return fails(s.PutAccountSetting(ctx, &sdk.PutAccountSettingInput{Name: "awsvpcTrunking", Value: aws.String("enabled"), PrincipalArn: aws.String("arn:aws:iam::111111111111:user/u")}))
		}},
		{"value without name [D]", "InvalidParameterException", "To filter by value you must also specify a setting name.", func() error {
			return fails(s.ListAccountSettings(ctx, &sdk.ListAccountSettingsInput{Value: aws.String("enabled")}))
		}},
	})
}
