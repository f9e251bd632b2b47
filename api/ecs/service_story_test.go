package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// TestServiceStory: a service says what it waits for and what went wrong, and nothing more once it is steady.
func TestServiceStory(t *testing.T) {
	f := newFleet(t)
	cfg := f.config()
	cfg.ServiceWhy = func(tx *state.Tx, key string, now time.Time) ([]string, model.Millis) {
		out, _ := f.loop.Ask(tx, key, now)
		return out.Why, out.Wake
	}
	p := ecs.NewPlanner(cfg)
	ctx := auth.WithPrincipal(t.Context(), auth.NewPrincipal(model.AccessKey{ID: "test", Account: home, Kind: model.KeyRoot}, region, "roadstead"))
	f.serve("s", "web:1")
	f.turn()
	s := must(p.Service(ctx, "default", "s"))(t)
	if s.Desired != 2 || s.Running != 2 || s.SteadySince != 0 || len(s.Why) == 0 || s.NextLook == 0 || len(s.Deployments) != 1 {
		t.Errorf("young: %+v", s)
	}
	f.pass(41)
	s = must(p.Service(ctx, "", scope.ARN("ecs", "service/default/s")))(t)
	if s.SteadySince == 0 || len(s.Why) != 0 || s.NextLook != 0 || s.Deployments[0].Rollout != "COMPLETED" || s.Deployments[0].TaskDefinition != "web:1" {
		t.Errorf("steady: %+v", s)
	}
	lost := must(f.ListTasks(ctx, &sdk.ListTasksInput{ServiceName: aws.String("s")}))(t).TaskArns[0]
	id := lost[strings.LastIndexByte(lost, '/')+1:]
	f.report(id, "STOPPED", aws.Int32(3))
	f.turn()
	s = must(p.Service(ctx, "default", "s"))(t)
	if len(s.Failures) != 1 || s.Failures[0].TaskID != id || s.Failures[0].Definition != "web:1" || !strings.HasPrefix(s.Failures[0].Why, "EssentialContainerExited") {
		t.Errorf("failures: %+v", s.Failures)
	}
	if len(s.Messages) == 0 || s.Messages[0].At < s.Messages[len(s.Messages)-1].At {
		t.Errorf("messages: %+v", s.Messages)
	}
	_, err := p.Service(ctx, "default", "nobody")
	if model.ErrorCode(err) != "ServiceNotFoundException" {
		t.Errorf("an unknown service: %v", err)
	}
}
