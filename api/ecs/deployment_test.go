package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const (
	deploymentARN = "arn:aws:ecs:us-east-1:000000000000:service-deployment/"
	revisionARN   = "arn:aws:ecs:us-east-1:000000000000:service-revision/"
)

// changeDeploymentRow writes a deployment as it is after change, as who moves services would; n counts from the oldest.
func (s *server) changeDeploymentRow(service string, n int, change func(*model.Deployment)) {
	s.Helper()
	s.put(func(tx *state.Tx) {
		for d := range tx.Deployments.Prefix(scope.Key("default", service, "")) {
			if n--; n < 0 {
				row := *d
				change(&row)
				tx.Deployments.Put(&row)
				return
			}
		}
	})
}

func (s *server) serviceDeployment(arn string) types.ServiceDeployment {
	s.Helper()
	out := must(s.DescribeServiceDeployments(s.Context(), &sdk.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{arn}}))(s)
	if len(out.ServiceDeployments) != 1 {
		s.Fatalf("describe %s: %v", arn, reasons(out.Failures))
	}
	return out.ServiceDeployments[0]
}

func TestListServiceDeployments(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	first := s.serve("s", "web")
	for range 23 {
		s.clock.Add(1000)
		s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	}
	s.changeDeploymentRow("s", 3, func(d *model.Deployment) { d.State, d.Status = "SUCCESSFUL", "INACTIVE" })
	list := func(change func(*sdk.ListServiceDeploymentsInput)) (all []types.ServiceDeploymentBrief, pages int) {
		in := &sdk.ListServiceDeploymentsInput{Service: aws.String("s")}
		change(in)
		for pages = 1; ; pages++ {
			out := must(s.ListServiceDeployments(ctx, in))(t)
			all = append(all, out.ServiceDeployments...)
			if in.NextToken = out.NextToken; out.NextToken == nil {
				return all, pages
			}
		}
	}
	all, pages := list(func(*sdk.ListServiceDeploymentsInput) {})
	same(t, "twenty a page [D]; INACTIVE ones stay in the history", words(len(all), pages), "24 2")
	newest, oldest := all[0], all[23]
	same(t, "newest first [I]", newest.CreatedAt.After(*oldest.CreatedAt), true)
	same(t, "brief", words(*oldest.ServiceArn, *oldest.ClusterArn, *oldest.ServiceDeploymentArn, oldest.Status, newest.Status),
		words(serviceARN+"default/s", clusterARN+"default", *first.CurrentServiceDeployment, "STOPPED PENDING"))
	same(t, "the target's ARN contains the deployment's number [O]", strings.Contains(*oldest.TargetServiceRevisionArn, number(first.Deployments[0].Id)), true)
	some, _ := list(func(in *sdk.ListServiceDeploymentsInput) {
		in.Status = []types.ServiceDeploymentStatus{"SUCCESSFUL", "PENDING"}
	})
	same(t, "by status [D]", words(len(some), some[0].Status, some[1].Status), "2 PENDING SUCCESSFUL")
	some, _ = list(func(in *sdk.ListServiceDeploymentsInput) { in.CreatedAt = &types.CreatedAt{After: newest.CreatedAt} })
	same(t, "after its creation [D]", len(some), 1)
	some, pages = list(func(in *sdk.ListServiceDeploymentsInput) {
		in.CreatedAt, in.MaxResults = &types.CreatedAt{Before: all[20].CreatedAt}, aws.Int32(3)
	})
	same(t, "before, three a page [D]", words(len(some), pages), "4 2")
	refusal(t, fails(s.ListServiceDeployments(ctx, &sdk.ListServiceDeploymentsInput{Service: aws.String("x")})), "ServiceNotFoundException", "Service not found.")
}

func TestDescribeServiceDeployments(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	first := s.serve("s", "web", func(in *sdk.CreateServiceInput) {
		in.DesiredCount = aws.Int32(20)
		in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	})
	s.serviceTask("s", *first.Deployments[0].Id, "RUNNING")
	s.clock.Add(1000)
	second := s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	old, arn := number(first.Deployments[0].Id), *second.CurrentServiceDeployment
	s.serviceTask("s", *second.Deployments[0].Id, "PENDING")
	s.changeDeploymentRow("s", 1, func(d *model.Deployment) { d.Failures, d.FailedTasks, d.StartedAt = 4, 9, s.clock.Load() })
	v := s.serviceDeployment(arn)
	same(t, "under way", words(*v.ServiceDeploymentArn == arn, v.Status, v.FinishedAt == nil, v.StartedAt != nil), "true PENDING true true")
	same(t, "breaker [D]", words(v.DeploymentCircuitBreaker.Status, v.DeploymentCircuitBreaker.FailureCount, v.DeploymentCircuitBreaker.Threshold), "MONITORING 4 10")
	show := func(r types.ServiceRevisionSummary) string {
		return words(strings.TrimPrefix(*r.Arn, revisionARN+"default/s/"), r.RequestedTaskCount, r.RunningTaskCount, r.PendingTaskCount, r.RequestedProductionTrafficWeight == nil)
	}
	same(t, "source", show(v.SourceServiceRevisions[0]), old+" 1 1 0 true")
	same(t, "target", show(*v.TargetServiceRevision), number(second.Deployments[0].Id)+" 20 0 1 true")
	same(t, "failedTasks [D]", s.service("s").Deployments[0].FailedTasks, 9)

	s.changeDeploymentRow("s", 1, func(d *model.Deployment) {
		d.State, d.Status, d.Tripped, d.FinishedAt = "ROLLBACK_SUCCESSFUL", "INACTIVE", true, s.clock.Load()
		d.Rollback = &model.Rollback{To: old, Reason: "why", StartedAt: s.clock.Load()}
	})
	v = s.serviceDeployment(arn)
	same(t, "rolled back [D]", words(v.Status, v.DeploymentCircuitBreaker.Status, *v.Rollback.Reason, *v.Rollback.ServiceRevisionArn, v.FinishedAt != nil),
		words("ROLLBACK_SUCCESSFUL TRIGGERED why", revisionARN+"default/s/"+old, true))

	out := must(s.DescribeServiceDeployments(ctx, &sdk.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{deploymentARN + "default/s/x", deploymentARN + "default/x/x"}}))(t)
	same(t, "failures [D]", reasons(out.Failures), []string{deploymentARN + "default/s/x: MISSING", deploymentARN + "default/x/x: MISSING"})
	describe := func(arns ...string) func() error {
		return func() error {
			return fails(s.DescribeServiceDeployments(ctx, &sdk.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns}))
		}
	}
	s.refuses(t, []refused{
		{"none [I]", "InvalidParameterException", "Service deployments cannot be empty.", describe([]string{}...)},
		{"21 [D]", "InvalidParameterException", "Service deployments cannot have more than 20 elements.", describe(make([]string, 21)...)},
		{"no ARN [I]", "InvalidParameterException", "Invalid service-deployment ARN: x", describe("x")},
	})
}

func TestDescribeServiceRevisions(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("far", fargate)
	v := s.serve("s", "far", func(in *sdk.CreateServiceInput) {
		in.LaunchType, in.NetworkConfiguration = "FARGATE", inSubnets("subnet-a")
	})
	arn := *v.CurrentServiceRevisions[0].Arn
	describe := func() types.ServiceRevision {
		out := must(s.DescribeServiceRevisions(ctx, &sdk.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{arn, revisionARN + "default/s/1"}}))(t)
		same(t, "failures [D]", reasons(out.Failures), []string{revisionARN + "default/s/1: MISSING"})
		return out.ServiceRevisions[0]
	}
	r := describe()
	same(t, "revision", words(*r.ServiceRevisionArn == arn, *r.ServiceArn, *r.TaskDefinition, r.LaunchType, *r.PlatformVersion, *r.PlatformFamily, r.NetworkConfiguration.AwsvpcConfiguration.Subnets),
		words(true, serviceARN+"default/s", defARN+"far:1", "FARGATE 1.4.0 Linux [subnet-a]"))
	same(t, "image, not pulled yet", words(*r.ContainerImages[0].ContainerName, *r.ContainerImages[0].Image, r.ContainerImages[0].ImageDigest == nil), "app busybox true")
	s.put(func(tx *state.Tx) {
		old, _ := tx.Revisions.Get(model.DeploymentKey(scope, "default", "s", number(v.Deployments[0].Id)))
		row := *old
		row.Images = []model.PinnedImage{{Container: "app", Image: "busybox", Digest: "sha256:1"}}
		tx.Revisions.Put(&row)
	})
	same(t, "pinned [D]", *describe().ContainerImages[0].ImageDigest, "sha256:1")
}

func TestStopServiceDeployment(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	arn := *s.serve("s", "web").CurrentServiceDeployment
	stop := func(arn string, how types.StopServiceDeploymentStopType) error {
		return fails(s.StopServiceDeployment(ctx, &sdk.StopServiceDeploymentInput{ServiceDeploymentArn: &arn, StopType: how}))
	}
	for _, c := range []struct {
		how  types.StopServiceDeploymentStopType
		want string
	}{{"", "ROLLBACK_REQUESTED"}, {"ROLLBACK", "ROLLBACK_REQUESTED"}, {"ABORT", "STOP_REQUESTED"}} {
		s.changeDeploymentRow("s", 0, func(d *model.Deployment) { d.State = "IN_PROGRESS" })
		for range 2 { // it may be repeated [I]
			if err := stop(arn, c.how); err != nil {
				t.Fatal(err)
			}
		}
		same(t, "requested [D]", s.serviceDeployment(arn).Status, c.want)
	}
	const conflict = "The service deployment cannot be stopped in its current state: "
	refusal(t, stop(arn, "ROLLBACK"), "ConflictException", conflict+"STOP_REQUESTED.")
	for _, state := range []string{"SUCCESSFUL", "STOPPED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"} {
		s.changeDeploymentRow("s", 0, func(d *model.Deployment) { d.State = state })
		refusal(t, stop(arn, "ROLLBACK"), "ConflictException", conflict+state+".")
	}
	refusal(t, stop(deploymentARN+"default/s/x", ""), "ServiceDeploymentNotFoundException", "Service deployment not found.")
	refusal(t, stop(arn, "X"), "InvalidParameterException", "Invalid stopType 'X'…")
}

func TestContinueServiceDeployment(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	arn := *s.serve("s", "web", func(in *sdk.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{Strategy: "BLUE_GREEN", BakeTimeInMinutes: aws.Int32(0), LifecycleHooks: []types.DeploymentLifecycleHook{
			{TargetType: "PAUSE", LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_SCALE_UP"}},
			{HookTargetArn: aws.String("https://hook.test"), LifecycleStages: []types.DeploymentLifecycleHookStage{"PRE_SCALE_UP"}}}}
	}).CurrentServiceDeployment
	goOn := func(hook string, action types.DeploymentLifecycleHookAction) error {
		return fails(s.ContinueServiceDeployment(ctx, &sdk.ContinueServiceDeploymentInput{ServiceDeploymentArn: &arn, HookId: &hook, Action: action}))
	}
	refusal(t, goOn("h", ""), "InvalidParameterException", "The lifecycle hook with hookId h was not found…")
	pause := func() {
		s.changeDeploymentRow("s", 0, func(d *model.Deployment) {
			d.State, d.Stage = "IN_PROGRESS", &model.Stage{Name: "PRE_SCALE_UP", ProductionWeight: 30, Hooks: []model.Hook{
				{ID: "h", Index: 0, Status: "AWAITING_ACTION", ExpiresAt: s.clock.Load()}, {ID: "i", Index: 1, Status: "IN_PROGRESS"}}}
		})
	}
	pause()
	v := s.serviceDeployment(arn)
	h := v.LifecycleHookDetails
	same(t, "stage [D]", words(v.LifecycleStage, *v.TargetServiceRevision.RequestedProductionTrafficWeight), "PRE_SCALE_UP 30")
	same(t, "pause [D]", words(*h[0].HookId, h[0].Status, h[0].TargetType, h[0].TimeoutAction, h[0].TargetArn == nil, h[0].ExpiresAt != nil), "h AWAITING_ACTION PAUSE ROLLBACK true true")
	same(t, "other hook [D]", words(*h[1].HookId, h[1].Status, h[1].TargetType, *h[1].TargetArn), "i IN_PROGRESS AWS_LAMBDA https://hook.test")
	for action, want := range map[types.DeploymentLifecycleHookAction]string{"": "SUCCEEDED", "CONTINUE": "SUCCEEDED", "ROLLBACK": "FAILED"} {
		pause()
		if err := goOn("h", action); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("%q [D]", action), s.serviceDeployment(arn).LifecycleHookDetails[0].Status, want)
		refusal(t, goOn("h", action), "ConflictException", "The lifecycle hook does not wait for an action…")
	}
	refusal(t, goOn("i", ""), "ConflictException", "The lifecycle hook does not wait for an action…")
	refusal(t, goOn("h", "X"), "InvalidParameterException", "Invalid action 'X'…")
	s.changeDeploymentRow("s", 0, func(d *model.Deployment) { d.State = "SUCCESSFUL" })
	refusal(t, goOn("h", ""), "ConflictException", "The service deployment cannot be continued in its current state: SUCCESSFUL.")
}
