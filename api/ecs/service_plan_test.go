package ecs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/wire"
)

// A plan of a service says what its first step then does, and changes nothing.
func TestServicePlan(t *testing.T) {
	f := newFleet(t)
	p, ctx := f.planner()
	in := &sdk.CreateServiceInput{ServiceName: aws.String("s"), TaskDefinition: aws.String("web:1"), DesiredCount: aws.Int32(2),
		DeploymentConfiguration: &types.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(50), MaximumPercent: aws.Int32(100)}}
	before := f.db.Snapshot().Revision
	plan := must(p.CreateService(ctx, in))(t)
	same(t, "create", words(plan.Deployment, len(plan.Placements), len(plan.Stops), len(plan.Messages)), "web:1 2 0 1")
	same(t, "no change", f.db.Snapshot().Revision, before)
	must(f.CreateService(t.Context(), in))(t)
	f.turn()
	same(t, "as planned", f.db.Snapshot().Revision > before, true)

	f.clock.Add(60_000)
	f.turn()
	before = f.db.Snapshot().Revision
	plan = must(p.UpdateService(ctx, &sdk.UpdateServiceInput{Service: aws.String("s"), TaskDefinition: aws.String("web:2")}))(t)
	same(t, "update", words(plan.Deployment, len(plan.Placements), len(plan.Stops), plan.Stops[0].TaskDefinition), "web:2 1 1 web:1")
	same(t, "why", strings.Join(plan.Why, " ") != "", true)
	plan = must(p.UpdateService(ctx, &sdk.UpdateServiceInput{Service: aws.String("s"), DesiredCount: aws.Int32(1)}))(t)
	same(t, "scale", words(plan.Deployment == "", plan.DesiredCount, len(plan.Placements), len(plan.Stops)), "true 1 0 1")
	_, err := p.UpdateService(ctx, &sdk.UpdateServiceInput{Service: aws.String("none")})
	same(t, "errors are the call's", err.Error(), "ServiceNotFoundException: Service not found.")
	same(t, "no change", f.db.Snapshot().Revision, before)

	dry := func(o *sdk.Options) {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(wire.DryRunHeader, "true"))
	}
	out := must(f.UpdateService(t.Context(), &sdk.UpdateServiceInput{Service: aws.String("s"), TaskDefinition: aws.String("web:2")}, dry))(t)
	same(t, "dry run", words(len(out.Service.Deployments), out.Service.Deployments[0].PendingCount, *out.Service.Deployments[0].Status), "2 1 PRIMARY")
	same(t, "no change", f.db.Snapshot().Revision, before)
}

// The body says which call it is.
func TestPlanJSON(t *testing.T) {
	f := newFleet(t)
	p, ctx := f.planner()
	plan := must(p.PlanJSON(ctx, []byte(`{"serviceName": "s", "taskDefinition": "web", "desiredCount": 1}`)))(t)
	same(t, "CreateService", len(plan.(*ecs.ServicePlan).Placements), 1)
	plan = must(p.PlanJSON(ctx, []byte(`{"taskDefinition": "web", "count": 3}`)))(t)
	same(t, "RunTask", len(plan.(*ecs.Plan).Placements), 3)
	_, err := p.PlanJSON(ctx, []byte(`{"service": "s"}`))
	same(t, "UpdateService", err.Error(), "ServiceNotFoundException: Service not found.")
	_, err = p.PlanJSON(ctx, []byte(`{"service": 1}`))
	same(t, "no JSON of a call", strings.HasPrefix(err.Error(), "SerializationException: The body is not the JSON of a"), true)
}
