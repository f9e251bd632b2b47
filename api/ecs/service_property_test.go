package ecs_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// TestServiceProperties drives random calls about services, and whoever moves them, and checks after each: a service has one
// PRIMARY deployment, ids rise, only the newest deployment is under way, and what is shown leads back to rows.
func TestServiceProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &harbour{T: rt, server: newServer(t)}
		w.cluster("default")
		w.define("web")
		w.define("web")
		w.define("vpc", awsvpc)
		rt.Repeat(map[string]func(*rapid.T){
			"create": w.create, "update": w.update, "delete": w.remove, "stop": w.stop, "move": w.move, "wait": w.wait, "": w.invariants,
		})
	})
}

type harbour struct {
	*rapid.T
	*server
}

func (w *harbour) name(rt *rapid.T) *string {
	return aws.String(rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "service"))
}

func (w *harbour) create(rt *rapid.T) {
	in := &sdk.CreateServiceInput{ServiceName: w.name(rt), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(rapid.Int32Range(0, 2).Draw(rt, "count"))}
	if rapid.Bool().Draw(rt, "daemon") {
		daemon(in)
	}
	_, _ = w.CreateService(w.server.Context(), in)
}

func (w *harbour) update(rt *rapid.T) {
	in := &sdk.UpdateServiceInput{Service: w.name(rt), ForceNewDeployment: rapid.Bool().Draw(rt, "force")}
	if def := rapid.SampledFrom([]string{"", "web:1", "web:2", "vpc"}).Draw(rt, "definition"); def != "" {
		in.TaskDefinition = &def
	}
	if rapid.Bool().Draw(rt, "network") {
		in.NetworkConfiguration = inSubnets("subnet-a")
	}
	_, _ = w.UpdateService(w.server.Context(), in)
}

func (w *harbour) remove(rt *rapid.T) {
	force := rapid.Bool().Draw(rt, "force")
	_, _ = w.DeleteService(w.server.Context(), &sdk.DeleteServiceInput{Service: w.name(rt), Force: &force})
}

func (w *harbour) stop(rt *rapid.T) {
	out, err := w.DescribeServices(w.server.Context(), &sdk.DescribeServicesInput{Services: []string{*w.name(rt)}})
	if err == nil && len(out.Services) > 0 {
		_, _ = w.StopServiceDeployment(w.server.Context(), &sdk.StopServiceDeploymentInput{ServiceDeploymentArn: out.Services[0].CurrentServiceDeployment})
	}
}

func (w *harbour) wait(rt *rapid.T) { w.clock.Add(rapid.Int64Range(0, 2).Draw(rt, "ms")) }

// move does what whoever moves services might: a deployment completes, is rolled back, or leaves the list; a service ends.
func (w *harbour) move(rt *rapid.T) {
	what := rapid.SampledFrom([]string{"complete", "roll back", "clean up", "end"}).Draw(rt, "what")
	w.put(func(tx *state.Tx) {
		s, ok := tx.Services.Get(model.ServiceKey(scope, "default", *w.name(rt)))
		if !ok {
			return
		}
		var completed, primary *model.Deployment
		var rows []*model.Deployment
		for d := range tx.DeploymentsOf(s) {
			row := *d
			rows = append(rows, &row)
			if d.Rollout == model.RolloutCompleted {
				completed = &row
			}
			if d.Status == model.DeploymentPrimary {
				primary = &row
			}
		}
		switch {
		case what == "end" && s.Status == model.ServiceDraining:
			gone := *s
			gone.Status = model.ServiceInactive
			tx.Services.Put(&gone)
		case s.Status != model.ServiceActive:
			return
		case what == "complete" && !primary.Ended():
			primary.State, primary.Rollout = model.StateSuccessful, model.RolloutCompleted
		case what == "roll back" && !primary.Ended() && completed != nil:
			primary.State, primary.Rollout, primary.Status = model.StateRollbackInProgress, model.RolloutFailed, model.DeploymentActive
			completed.Rollout, completed.Status = model.RolloutInProgress, model.DeploymentPrimary
		case what == "clean up":
			for _, d := range rows {
				if d.Status == model.DeploymentActive && d.Ended() {
					d.Status = model.DeploymentInactive
				}
			}
		}
		for _, d := range rows {
			tx.Deployments.Put(d)
		}
	})
}

func (w *harbour) invariants(rt *rapid.T) {
	t := w.db.Snapshot().Tables
	for s := range t.ServicesOf(scope, "default") {
		primaries, last := 0, ""
		var before *model.Deployment
		for d := range t.DeploymentsOf(s) {
			if d.ID <= last {
				rt.Fatalf("%s: deployment %s after %s", s.Name, d.ID, last)
			}
			if before != nil && !before.Ended() {
				rt.Fatalf("%s: deployment %s is %s, and not the newest", s.Name, before.ID, before.State)
			}
			if d.Status == model.DeploymentPrimary {
				primaries++
			}
			if _, ok := t.Revisions.Get(d.Key()); !ok {
				rt.Fatalf("%s: deployment %s is of no revision", s.Name, d.ID)
			}
			before, last = d, d.ID
		}
		if primaries != 1 {
			rt.Fatalf("%s has %d PRIMARY deployments", s.Name, primaries)
		}
		if s.Status != model.ServiceActive && !before.Ended() {
			rt.Fatalf("%s is %s, and its deployment %s", s.Name, s.Status, before.State)
		}
		w.shown(rt, s)
	}
}

// shown follows the ARNs that a service shows.
func (w *harbour) shown(rt *rapid.T, s *model.Service) {
	ctx := w.server.Context()
	v := w.service(s.ARN())
	if *v.Deployments[0].Status != model.DeploymentPrimary || *v.Deployments[0].TaskDefinition != *v.TaskDefinition {
		rt.Fatalf("%s shows %s first, and %s", s.Name, *v.Deployments[0].Status, *v.TaskDefinition)
	}
	d := must(w.DescribeServiceDeployments(ctx, &sdk.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*v.CurrentServiceDeployment}}))(w.server)
	arns := []string{*d.ServiceDeployments[0].TargetServiceRevision.Arn, *v.CurrentServiceRevisions[0].Arn}
	r := must(w.DescribeServiceRevisions(ctx, &sdk.DescribeServiceRevisionsInput{ServiceRevisionArns: arns}))(w.server)
	if len(r.Failures) > 0 || *r.ServiceRevisions[1].TaskDefinition != *v.TaskDefinition {
		rt.Fatalf("%s: %s", s.Name, fmt.Sprint(reasons(r.Failures)))
	}
	if n := len(must(w.ListServiceDeployments(ctx, &sdk.ListServiceDeploymentsInput{Service: &s.Name, MaxResults: aws.Int32(100), Status: []types.ServiceDeploymentStatus{
		"PENDING", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}}))(w.server).ServiceDeployments); n > 1 {
		rt.Fatalf("%s: %d deployments are under way", s.Name, n)
	}
}
