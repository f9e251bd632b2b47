package policy_test

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
)

// How a service asks for RunTask: for the action on the task definition, for each role that is handed over, and for tagging.
func Example() {
	developer, err := policy.Parse(policy.RoleInline, "developer", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "arn:aws:ecs:*:111122223333:task-definition/web:*",
		 "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:us-east-1:111122223333:cluster/dev"}}},
		{"Sid": "PassTaskRoles", "Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/task-*",
		 "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}]}`)
	if err != nil {
		panic(err)
	}
	policies := &policy.Policies{Identity: []*policy.Policy{developer}}
	caller := &policy.Principal{Kind: policy.Session, Account: "111122223333", ID: "AROAEXAMPLE:ann",
		ARN: "arn:aws:sts::111122223333:assumed-role/developer/ann", Of: "arn:aws:iam::111122223333:role/developer"}
	scope := model.Scope{Account: "111122223333", Region: "us-east-1"}
	web := &types.TaskDefinition{ExecutionRoleArn: aws.String("arn:aws:iam::111122223333:role/task-execution")}
	in := &ecs.RunTaskInput{
		Cluster: aws.String("dev"), TaskDefinition: aws.String("web"),
		Overrides: &types.TaskOverride{TaskRoleArn: aws.String("arn:aws:iam::111122223333:role/admin")},
		Tags:      []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}},
	}

	ask := func(action, resource string, more func(*policy.Context)) {
		ctx := &policy.Context{}
		caller.Describe(ctx)
		ctx.SetTime(time.Unix(1767225600, 0))
		more(ctx)
		d := policy.Decide(&policy.Request{Principal: caller, Action: action, Resource: resource, Context: ctx}, policies)
		fmt.Println(action, d.Explain())
	}
	names := map[string]string{"family": "web", "revision": "7", "cluster": "dev"}
	run, _ := policy.LookupOperation("ecs", "RunTask")
	for _, arn := range run.ARNs(scope, func(name string) string { return names[name] }) {
		ask(run.Action, arn, func(c *policy.Context) { c.Set("ecs:cluster", scope.ARN("ecs", "cluster/dev")) })
	}
	for _, pass := range run.Passes {
		for _, role := range pass.Roles(in, web) {
			ask("iam:PassRole", role, func(c *policy.Context) { c.Set("iam:PassedToService", pass.Service) })
		}
	}
	for _, also := range run.Also {
		if policy.Given(in, also.Member) {
			ask(also.Action, scope.ARN("ecs", "task/dev/*"), func(c *policy.Context) { c.Set("ecs:CreateAction", run.Name) })
		}
	}
	// Output:
	// ecs:RunTask allowed by statement 1 of the identity-based policy developer
	// iam:PassRole allowed by statement PassTaskRoles of the identity-based policy developer
	// iam:PassRole refused: no identity-based policy allows it
	// ecs:TagResource refused: no identity-based policy allows it
}
