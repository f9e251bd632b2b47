package ecs_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// TestWhatStartsADeployment: SEMANTICS §8.3, trap 4 [D].
func TestWhatStartsADeployment(t *testing.T) {
	type in = sdk.UpdateServiceInput
	spot := []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT"), Weight: 1}}
	for _, c := range []struct {
		what   string
		starts bool
		change func(*in)
	}{
		{"nothing", false, func(*in) {}},
		{"taskDefinition", true, func(u *in) { u.TaskDefinition = aws.String("far:2") }},
		{"taskDefinition: the newest one of the family", true, func(u *in) { u.TaskDefinition = aws.String("far") }},
		{"taskDefinition: the one it has", false, func(u *in) { u.TaskDefinition = aws.String("far:1") }},
		{"networkConfiguration", true, func(u *in) { u.NetworkConfiguration = inSubnets("subnet-b") }},
		{"networkConfiguration: the one it has", false, func(u *in) { u.NetworkConfiguration = inSubnets("subnet-a") }},
		{"platformVersion", true, func(u *in) { u.PlatformVersion = aws.String("1.3.0") }},
		{"platformVersion: what LATEST is", false, func(u *in) { u.PlatformVersion = aws.String("1.4.0") }},
		{"forceNewDeployment", true, func(u *in) { u.ForceNewDeployment = true }},
		{"capacityProviderStrategy with force", true, func(u *in) { u.CapacityProviderStrategy, u.ForceNewDeployment = spot, true }},
		{"no capacityProviderStrategy, as before", false, func(u *in) { u.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{} }},
		{"empty lists of what it has not", false, func(u *in) {
			u.LoadBalancers, u.ServiceRegistries, u.VolumeConfigurations = []types.LoadBalancer{}, []types.ServiceRegistry{}, []types.ServiceVolumeConfiguration{}
			u.ServiceConnectConfiguration = &types.ServiceConnectConfiguration{}
		}},
		{"desiredCount", false, func(u *in) { u.DesiredCount = aws.Int32(5) }},
		{"deploymentConfiguration", false, func(u *in) { u.DeploymentConfiguration = percents(50, 150) }},
		{"healthCheckGracePeriodSeconds", false, func(u *in) { u.HealthCheckGracePeriodSeconds = aws.Int32(9) }},
		{"enableExecuteCommand", false, func(u *in) { u.EnableExecuteCommand = aws.Bool(true) }},
		{"enableECSManagedTags", false, func(u *in) { u.EnableECSManagedTags = aws.Bool(true) }},
		{"propagateTags", false, func(u *in) { u.PropagateTags = "SERVICE" }},
		{"availabilityZoneRebalancing", false, func(u *in) { u.AvailabilityZoneRebalancing = "DISABLED" }},
		{"monitoring", false, func(u *in) {
			u.Monitoring = &types.MonitoringConfiguration{MetricConfigurations: []types.MetricConfiguration{{MetricNames: []string{"CPUUtilization"}, ResolutionSeconds: aws.Int32(20)}}}
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newServer(t)
			s.cluster("default")
			s.define("far", fargate)
			s.provide("default", "FARGATE", "FARGATE_SPOT")
			s.serve("s", "far", func(in *sdk.CreateServiceInput) {
				in.LaunchType, in.NetworkConfiguration = "FARGATE", inSubnets("subnet-a")
			})
			s.define("far", fargate)
			v := s.amend("s", c.change)
			same(t, "starts a deployment", len(v.Deployments) == 2, c.starts)
		})
	}
}

func TestWhatStartsADeploymentOnInstances(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	s.serve("s", "web")
	v := s.amend("s", func(in *sdk.UpdateServiceInput) {
		in.PlacementConstraints = []types.PlacementConstraint{{Type: "distinctInstance"}}
		in.PlacementStrategy = []types.PlacementStrategy{{Type: "spread", Field: aws.String("attribute:ecs.availability-zone")}}
	})
	same(t, "placement starts none [D]", words(len(v.Deployments), len(v.PlacementConstraints), len(v.PlacementStrategy)), "1 1 1")
	v = s.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(3) })
	same(t, "absent: kept [D]", words(len(v.PlacementConstraints), len(v.PlacementStrategy), v.DesiredCount), "1 1 3")
	v = s.amend("s", func(in *sdk.UpdateServiceInput) {
		in.PlacementConstraints, in.PlacementStrategy = []types.PlacementConstraint{}, []types.PlacementStrategy{}
	})
	same(t, "empty: cleared [D]", words(len(v.PlacementConstraints), len(v.PlacementStrategy)), "0 0")
}

// TestDeploymentInThePlaceOfAnother: what the rows are when one comes before the other has ended.
func TestDeploymentInThePlaceOfAnother(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	first := s.serve("s", "web").Deployments[0]
	second := s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	third := s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	ids := []string{number(first.Id), number(second.Deployments[0].Id), number(third.Deployments[0].Id)}
	same(t, "ids of one millisecond rise", ids[0] < ids[1] && ids[1] < ids[2], true)
	var rows []*model.Deployment
	for d := range s.db.Snapshot().Deployments.Prefix(scope.Key("default", "s", "")) {
		rows = append(rows, d)
	}
	same(t, "rows", words(rows[0].Status, rows[0].State, rows[1].Status, rows[1].State, rows[2].Status, rows[2].State), "ACTIVE STOPPED ACTIVE STOPPED PRIMARY PENDING")
	same(t, "why it was stopped [I]", rows[1].StateReason, "Superseded by a newer service deployment.")
	same(t, "what ran when it began, oldest first", rows[2].Sources, ids[:2])
	same(t, "record ids differ", rows[0].RecordID != rows[1].RecordID, true)
}

// TestDeploymentInThePlaceOfARollback: what was rolled back to may be rolled back to again.
func TestDeploymentInThePlaceOfARollback(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	s.serve("s", "web")
	s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	rows := func() (out []*model.Deployment) {
		for d := range s.db.Snapshot().Deployments.Prefix(scope.Key("default", "s", "")) {
			out = append(out, d)
		}
		return out
	}
	old, bad := *rows()[0], *rows()[1]
	old.Status, old.State, old.Rollout = "PRIMARY", "SUCCESSFUL", "IN_PROGRESS"
	bad.Status, bad.State, bad.Rollout = "ACTIVE", "ROLLBACK_IN_PROGRESS", "FAILED"
	s.put(func(tx *state.Tx) { tx.Deployments.Put(&old); tx.Deployments.Put(&bad) })
	same(t, "the one that is being rolled back is the current one", *s.service("s").CurrentServiceDeployment, bad.ARN())
	s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	r := rows()
	same(t, "rows", words(r[0].Status, r[0].State, r[0].Rollout, r[1].Status, r[1].State, r[1].Rollout, r[2].Status), "ACTIVE SUCCESSFUL COMPLETED ACTIVE ROLLBACK_FAILED FAILED PRIMARY")
}

func TestUpdateServiceSettings(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	s.serve("s", "web", func(in *sdk.CreateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{MaximumPercent: aws.Int32(150),
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, ThresholdConfiguration: &types.ThresholdConfiguration{Type: "COUNT", Value: 7}}}
	})
	v := s.amend("s", func(in *sdk.UpdateServiceInput) {
		in.DeploymentConfiguration = &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(50),
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
		in.EnableExecuteCommand = aws.Bool(true)
	})
	c := v.DeploymentConfiguration
	same(t, "absent members of the configuration are kept [I]", words(*c.MinimumHealthyPercent, *c.MaximumPercent, c.DeploymentCircuitBreaker.Rollback,
		c.DeploymentCircuitBreaker.ThresholdConfiguration.Type, c.DeploymentCircuitBreaker.ThresholdConfiguration.Value), "50 150 true COUNT 7")
	same(t, "exec", v.EnableExecuteCommand, true)
	v = s.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(4) })
	same(t, "absent: kept [D]", words(v.EnableExecuteCommand, *v.DeploymentConfiguration.MaximumPercent), "true 150")
	n := 0
	for e := range s.db.Snapshot().Events.Prefix(scope.Key("")) {
		n++
		same(t, "event [D]", words(e.DetailType, e.Resources, e.Detail), words("ECS Service Action", []string{serviceARN + "default/s"},
			`{"clusterArn":"`+clusterARN+`default","createdAt":"2023-11-14T22:13:20.000Z","eventName":"SERVICE_DESIRED_COUNT_UPDATED","eventType":"INFO"}`))
	}
	same(t, "one event", n, 1)
}

// TestUpdateServiceOfInactiveDefinition: SEMANTICS §2.4.
func TestUpdateServiceOfInactiveDefinition(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.serve("s", "web")
	must(s.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:1")}))(t)
	v := s.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(9) })
	same(t, "may scale [D]", v.DesiredCount, 9)
	v = s.amend("s", func(in *sdk.UpdateServiceInput) { in.ForceNewDeployment = true })
	same(t, "may be deployed again [I]", len(v.Deployments), 2)
	refusal(t, fails(s.UpdateService(ctx, &sdk.UpdateServiceInput{Service: aws.String("s"), TaskDefinition: aws.String("web:1")})), "ClientException", "TaskDefinition is inactive")
}

// TestServiceOfLostDefinition: whatever is gone, a service can be scaled down and deleted.
func TestServiceOfLostDefinition(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	s.cluster("default")
	s.define("web")
	s.serve("s", "web")
	s.put(func(tx *state.Tx) { tx.Definitions.Delete(model.DefinitionKey(scope, "web", 1)) })
	same(t, "scaled", s.amend("s", func(in *sdk.UpdateServiceInput) { in.DesiredCount = aws.Int32(0) }).DesiredCount, 0)
	refusal(t, fails(s.UpdateService(ctx, &sdk.UpdateServiceInput{Service: aws.String("s"), ForceNewDeployment: true})), "ClientException", "TaskDefinition not found.")
	must(s.DeleteService(ctx, &sdk.DeleteServiceInput{Service: aws.String("s")}))(t)
}

// TestServiceStrategy: a service goes from a launch type to a strategy and back (SEMANTICS §8.3).
func TestServiceStrategy(t *testing.T) {
	s := newServer(t)
	s.cluster("default")
	s.define("web")
	s.groupProvider("od")
	s.provide("default", "od")
	s.serve("s", "web")
	v := s.amend("s", func(in *sdk.UpdateServiceInput) {
		in.CapacityProviderStrategy, in.ForceNewDeployment = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("od"), Weight: 1}}, true
	})
	same(t, "to a strategy [D]", words(v.LaunchType, len(v.CapacityProviderStrategy), v.Deployments[1].LaunchType), " 1 EC2")
	v = s.amend("s", func(in *sdk.UpdateServiceInput) {
		in.CapacityProviderStrategy, in.ForceNewDeployment = []types.CapacityProviderStrategyItem{}, true
	})
	same(t, "an empty one goes back [D]", words(v.LaunchType, len(v.CapacityProviderStrategy)), "EC2 0")
}
