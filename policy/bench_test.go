package policy_test

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// world of a usual decision: a session with a managed policy of 20 statements, an inline one with conditions and a variable, and a
// boundary.
func typical(t testing.TB) (*policy.Request, *policy.Policies) {
	parse := func(kind policy.Kind, text string) *policy.Policy {
		p, err := policy.Parse(kind, "p", text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var many []string
	for _, service := range []string{"s3", "sqs", "sns", "logs", "ecr", "kms", "ssm", "dynamodb", "events", "states", "ec2", "elasticloadbalancing", "cloudwatch", "route53", "acm", "lambda", "xray", "rds", "efs"} {
		many = append(many, `{"Effect":"Allow","Action":["`+service+`:Get*","`+service+`:List*","`+service+`:Describe*"],"Resource":"*"}`)
	}
	many = append(many, `{"Effect":"Deny","Action":["ecs:Delete*","ecs:Deregister*"],"Resource":"arn:aws:ecs:*:*:*/prod*"}`)
	ps := &policy.Policies{
		Identity: []*policy.Policy{
			parse(policy.Managed, `{"Version":"2012-10-17","Statement":[`+strings.Join(many, ",")+`]}`),
			parse(policy.RoleInline, doc(`"Effect":"Allow","Action":["ecs:RunTask","ecs:StopTask","ecs:UpdateService"],
				"Resource":["arn:aws:ecs:*:111122223333:service/*/${aws:PrincipalTag/team}-*","arn:aws:ecs:*:111122223333:task-definition/${aws:PrincipalTag/team}-*:*"],
				"Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"},"ArnLike":{"ecs:cluster":"arn:aws:ecs:*:111122223333:cluster/dev-*"}}`)),
		},
		Boundary: parse(policy.Managed, allow("ecs:*", "*")),
	}
	p := &policy.Principal{Kind: policy.Session, Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/r/s", Of: "arn:aws:iam::" + home + ":role/r", ID: "AROAR:s", Tags: []model.Tag{{Key: "team", Value: "red"}}}
	r := &policy.Request{Principal: p, Action: "ecs:RunTask", Resource: "arn:aws:ecs:us-east-1:" + home + ":task-definition/red-web:7", Context: &policy.Context{}}
	p.Describe(r.Context)
	r.Context.Set("ecs:cluster", "arn:aws:ecs:us-east-1:"+home+":cluster/dev-1")
	r.Context.Set("aws:ResourceTag/team", "red")
	return r, ps
}

func BenchmarkDecide(b *testing.B) {
	r, ps := typical(b)
	b.ReportAllocs()
	for b.Loop() {
		if !policy.Decide(r, ps).Allowed {
			b.Fatal("refused")
		}
	}
}

func BenchmarkDescribe(b *testing.B) {
	r, _ := typical(b)
	b.ReportAllocs()
	for b.Loop() {
		var c policy.Context
		r.Principal.Describe(&c)
	}
}

func BenchmarkParse(b *testing.B) {
	text := doc(`"Effect":"Allow","Action":["ecs:RunTask","ecs:StopTask"],"Resource":"arn:aws:ecs:*:111122223333:*","Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Parse(policy.Managed, "p", text); err != nil {
			b.Fatal(err)
		}
	}
}

// A decision makes no garbage: there is one for each call of each service.
func TestDecideDoesNotAllocate(t *testing.T) {
	r, ps := typical(t)
	if n := testing.AllocsPerRun(100, func() { policy.Decide(r, ps) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
