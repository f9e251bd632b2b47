//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// gatekeeper is an HTTPS server that is a lifecycle hook: it asks to be called again once a stage, and then answers.
type gatekeeper struct {
	*httptest.Server
	mu     sync.Mutex
	answer string
	called []string // stages, in order
}

func newGatekeeper(t *testing.T) *gatekeeper {
	g := &gatekeeper{answer: "SUCCEEDED"}
	g.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ LifecycleStage string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		again := len(g.called) == 0 || g.called[len(g.called)-1] != in.LifecycleStage
		g.called = append(g.called, in.LifecycleStage)
		if again {
			fmt.Fprint(w, `{"hookStatus": "IN_PROGRESS", "callBackDelay": 1}`)
			return
		}
		fmt.Fprintf(w, `{"hookStatus": %q}`, g.answer)
	}))
	t.Cleanup(g.Close)
	root := filepath.Join(t.TempDir(), "root.pem")
	must(t, os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw}), 0o600))
	t.Setenv("SSL_CERT_FILE", root)
	return g
}

func (g *gatekeeper) says(answer string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer, g.called = answer, nil
}

func (g *gatekeeper) stages() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.called, " ")
}

// TestHooks lets a blue/green deployment ask an HTTPS server, a task and a person [D] (SEMANTICS §9; the first two are our
// superset), and one that is told to fail go back to the tasks that were there.
func TestHooks(t *testing.T) {
	gate := newGatekeeper(t)
	e := NewPair(t, "--cleanup-after", "1ms")
	check := e.container("check", "exit=0")
	check.Memory = aws.Int32(16)
	checks := e.Define("checks", ecs.RegisterTaskDefinitionInput{}, check)
	var defs []string
	for range 3 {
		defs = append(defs, e.Define("hooked", ecs.RegisterTaskDefinitionInput{}, e.checked()))
	}
	arn := "arn:aws:ecs:us-east-1:000000000000:task-definition/" + checks
	conf := func(hooks ...types.DeploymentLifecycleHook) *types.DeploymentConfiguration {
		return &types.DeploymentConfiguration{Strategy: types.DeploymentStrategyBlueGreen, BakeTimeInMinutes: aws.Int32(0), LifecycleHooks: hooks}
	}
	url := types.DeploymentLifecycleHook{HookTargetArn: &gate.URL, LifecycleStages: []types.DeploymentLifecycleHookStage{
		types.DeploymentLifecycleHookStagePreScaleUp, types.DeploymentLifecycleHookStagePostProductionTrafficShift}}
	task := types.DeploymentLifecycleHook{HookTargetArn: &arn, LifecycleStages: []types.DeploymentLifecycleHookStage{types.DeploymentLifecycleHookStagePostScaleUp}}
	pause := types.DeploymentLifecycleHook{TargetType: types.DeploymentLifecycleHookTargetTypePause,
		LifecycleStages: []types.DeploymentLifecycleHookStage{types.DeploymentLifecycleHookStagePostScaleUp}}

	e.CreateService("hooked", defs[0], 2, func(in *ecs.CreateServiceInput) { in.DeploymentConfiguration = conf() })
	poll(t, servicePatience, e.rollout("hooked", types.DeploymentRolloutStateCompleted))

	e.UpdateService(ecs.UpdateServiceInput{Service: aws.String("hooked"), TaskDefinition: &defs[1], DeploymentConfiguration: conf(url, task, pause)})
	e.goOn("hooked")
	poll(t, servicePatience, e.rollout("hooked", types.DeploymentRolloutStateCompleted))
	if got, want := gate.stages(), "PRE_SCALE_UP PRE_SCALE_UP POST_PRODUCTION_TRAFFIC_SHIFT POST_PRODUCTION_TRAFFIC_SHIFT"; got != want {
		t.Errorf("the server was asked at %s, want %s", got, want)
	}
	if n := e.ended("hook:hooked"); n != 1 {
		t.Errorf("%d tasks were hooks", n)
	}
	before := e.Tasks("hooked")
	e.runsOnly("hooked", defs[1])

	gate.says("FAILED")
	e.UpdateService(ecs.UpdateServiceInput{Service: aws.String("hooked"), TaskDefinition: &defs[2]})
	poll(t, servicePatience, func(ctx context.Context) error {
		out, err := e.ECS.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: aws.String("hooked"), Cluster: aws.String("default")})
		if err == nil && out.ServiceDeployments[0].Status != types.ServiceDeploymentStatusRollbackSuccessful {
			err = errAgain(string(out.ServiceDeployments[0].Status) + "\n" + e.serviceStory("hooked"))
		}
		return err
	})
	poll(t, servicePatience, e.rollout("hooked", types.DeploymentRolloutStateCompleted))
	e.runsOnly("hooked", defs[1])
	if after := e.Tasks("hooked"); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("tasks before the failure %v, after it %v", before, after)
	}
	e.Scale("hooked", 0)
	e.AwaitStable("hooked")
}

// goOn waits until the newest deployment of the service pauses, and lets it continue.
func (e *Env) goOn(name string) {
	e.t.Helper()
	poll(e.t, servicePatience, func(ctx context.Context) error {
		list, err := e.ECS.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Service: &name, Cluster: aws.String("default")})
		if err != nil {
			return err
		}
		newest := list.ServiceDeployments[0].ServiceDeploymentArn
		out, err := e.ECS.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*newest}})
		if err != nil {
			return err
		}
		for _, h := range out.ServiceDeployments[0].LifecycleHookDetails {
			if h.TargetType != types.DeploymentLifecycleHookTargetTypePause {
				continue
			}
			_, err := e.ECS.ContinueServiceDeployment(ctx, &ecs.ContinueServiceDeploymentInput{
				ServiceDeploymentArn: newest, HookId: h.HookId, Action: types.DeploymentLifecycleHookActionContinue})
			return err
		}
		return errAgain("the deployment does not pause\n" + e.serviceStory(name))
	})
}

// ended counts the tasks of a group that have STOPPED.
func (e *Env) ended(group string) (n int) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Describe(ctx, e.List(types.DesiredStatusStopped)...)
	must(e.t, err)
	for i := range all {
		if aws.ToString(all[i].Group) == group {
			n++
		}
	}
	return n
}

// runsOnly checks that all tasks of the service are of the definition.
func (e *Env) runsOnly(name, definition string) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.tasksOf(ctx, name)
	must(e.t, err)
	if len(all) != 2 {
		e.t.Errorf("service %s has %d tasks", name, len(all))
	}
	for i := range all {
		if !strings.HasSuffix(*all[i].TaskDefinitionArn, definition) {
			e.t.Errorf("task %s is of %s", id(*all[i].TaskArn), *all[i].TaskDefinitionArn)
		}
	}
}
