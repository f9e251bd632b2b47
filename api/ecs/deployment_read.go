package ecs

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// listServiceDeployments lists the deployments of a service, the newest first and twenty a page (SEMANTICS §1.2, §2.6).
func (a *api) listServiceDeployments(ctx context.Context, in *sdk.ListServiceDeploymentsInput) (*sdk.ListServiceDeploymentsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	s, err := mustService(t, c, in.Service)
	if err != nil {
		return nil, err
	}
	filters := []string{s.Account, s.Region, s.Cluster, s.Name}
	for _, state := range in.Status {
		if !slices.Contains(state.Values(), state) {
			return nil, invalid("Invalid service deployment status '%s'. Valid values: %v", state, state.Values()) // [I]
		}
		filters = append(filters, string(state))
	}
	p, err := newPager("ListServiceDeployments", filters, 100, pageSize(in.MaxResults, 20), in.NextToken)
	if err != nil {
		return nil, err
	}
	p.falling = true
	history := slices.Collect(t.DeploymentsOf(s))
	slices.Reverse(history)
	views := []types.ServiceDeploymentBrief{}
	for _, d := range history {
		if !deploymentListed(d, in) {
			continue
		}
		before := len(p.out)
		if !p.add(d.ID, d.RecordID) {
			break
		}
		if len(p.out) > before {
			views = append(views, viewBrief(s, d))
		}
	}
	return &sdk.ListServiceDeploymentsOutput{ServiceDeployments: views, NextToken: p.next}, nil
}

// deploymentListed reports whether the filters let the deployment through; times that are the same do [I].
func deploymentListed(d *model.Deployment, in *sdk.ListServiceDeploymentsInput) bool {
	if len(in.Status) > 0 && !slices.Contains(in.Status, types.ServiceDeploymentStatus(d.State)) {
		return false
	}
	if at := in.CreatedAt; at != nil {
		return (at.After == nil || d.CreatedAt >= millis(at.After)) && (at.Before == nil || d.CreatedAt <= millis(at.Before))
	}
	return true
}

func viewBrief(s *model.Service, d *model.Deployment) types.ServiceDeploymentBrief {
	return types.ServiceDeploymentBrief{ClusterArn: text(model.ClusterARN(s.Scope, s.Cluster)), CreatedAt: moment(d.CreatedAt),
		FinishedAt: moment(d.FinishedAt), ServiceArn: text(s.ARN()), ServiceDeploymentArn: text(d.ARN()), StartedAt: moment(d.StartedAt),
		Status: types.ServiceDeploymentStatus(d.State), StatusReason: text(d.StateReason),
		TargetServiceRevisionArn: text(model.RevisionARN(d.Scope, d.Cluster, d.Service, d.ID))}
}

// describeServiceDeployments shows service deployments by their ARNs.
func (a *api) describeServiceDeployments(ctx context.Context, in *sdk.DescribeServiceDeploymentsInput) (*sdk.DescribeServiceDeploymentsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Service deployments", len(in.ServiceDeploymentArns), 20); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	out := &sdk.DescribeServiceDeploymentsOutput{ServiceDeployments: []types.ServiceDeployment{}, Failures: []types.Failure{}}
	for _, ref := range in.ServiceDeploymentArns {
		s, d, err := findDeployment(t, who.Scope(), ref)
		switch {
		case err != nil:
			return nil, err
		case d == nil:
			out.Failures = append(out.Failures, missing(ref))
		default:
			out.ServiceDeployments = append(out.ServiceDeployments, viewServiceDeployment(t, s, d))
		}
	}
	return out, nil
}

// findDeployment returns the service deployment with the ARN and its service, or nil if there is none.
func findDeployment(t *state.Tables, scope model.Scope, ref string) (*model.Service, *model.Deployment, error) {
	s, id, err := partOfService(t, scope, ref, "service-deployment")
	if err != nil || s == nil {
		return nil, nil, err
	}
	for d := range t.Deployments.Prefix(s.Key() + "/") {
		if d.RecordID == id {
			return s, d, nil
		}
	}
	return nil, nil, nil
}

// partOfService reads an ARN "KIND/CLUSTER/SERVICE/ID", and returns the service, nil if there is none in the scope.
func partOfService(t *state.Tables, scope model.Scope, ref, kind string) (*model.Service, string, error) {
	arn, ok := model.ParseARN(ref)
	if !ok || arn.Service != "ecs" || arn.Type() != kind || len(arn.Segments()) != 3 {
		return nil, "", invalid("Invalid %s ARN: %s", kind, ref) // [I]
	}
	if arn.Scope != scope {
		return nil, "", nil
	}
	p := arn.Segments()
	s, _ := t.Services.Get(model.ServiceKey(scope, p[0], p[1]))
	return s, p[2], nil
}

// describeServiceRevisions shows revisions by their ARNs.
func (a *api) describeServiceRevisions(ctx context.Context, in *sdk.DescribeServiceRevisionsInput) (*sdk.DescribeServiceRevisionsOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkBatch("Service revisions", len(in.ServiceRevisionArns), 20); err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	out := &sdk.DescribeServiceRevisionsOutput{ServiceRevisions: []types.ServiceRevision{}, Failures: []types.Failure{}}
	for _, ref := range in.ServiceRevisionArns {
		s, id, err := partOfService(t, who.Scope(), ref, "service-revision")
		if err != nil {
			return nil, err
		}
		var r *model.Revision
		if s != nil {
			r, _ = t.Revisions.Get(model.DeploymentKey(s.Scope, s.Cluster, s.Name, id))
		}
		if r == nil {
			out.Failures = append(out.Failures, missing(ref))
			continue
		}
		out.ServiceRevisions = append(out.ServiceRevisions, viewRevision(t, s, r))
	}
	return out, nil
}
