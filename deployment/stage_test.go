package deployment

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/test/scenario"
)

// staged is a deployment in stages, and what is around it.
type staged struct {
	now  model.Millis
	row  *model.Deployment
	in   stageInput
	quit string // failure of the next step
}

func newStaged(strategy string) *staged {
	return &staged{row: &model.Deployment{
		Scope: model.Scope{Account: "000000000000", Region: "us-east-1"}, Cluster: "c", Service: "web", ID: "1000000000000000002",
		RecordID: "record", Sources: []string{"1000000000000000001"}, State: "IN_PROGRESS",
		Configuration: &types.DeploymentConfiguration{Strategy: types.DeploymentStrategy(strategy)},
	}, in: stageInput{blue: true}}
}

// look is advance of the deployment as it is.
func (s *staged) input() stageInput {
	in := s.in
	in.now, in.deployment, in.failure = s.now, s.row, s.quit
	return in
}

// write is what Step does with the answer.
func (s *staged) write(out stageOutput) {
	row := *s.row
	row.Stage = &out.stage
	s.row, s.quit = &row, ""
	if !out.green {
		s.in.ready = false
	}
}

// TestStages plays testdata/stage/*.txt:
//
//	deploy STRATEGY [bake=10] [step=30] [stepbake=5] [canary=5] [canarybake=10] [sources=1] [blue=yes]
//	hook TARGET STAGE,... [timeout=60] [action=CONTINUE]      a hook of the configuration; TARGET is "pause", a URL or an ARN
//	advance 5m                            time passes
//	ready | unready                       of the green tasks
//	left green|blue|strays                they have tasks, or
//	gone green|blue|strays                they have none left
//	answer N STATUS [reason=a_sentence.]  of the stage's hook N, from 0; "_" stands for a blank
//	fail REASON                           somebody wants the deployment to be given up
//	step                                  shows each stage that is passed, who runs, what happens, and what is waited for
func TestStages(t *testing.T) {
	scenario.Run(t, "testdata/stage/*.txt", func(*testing.T) scenario.Verbs {
		var s *staged
		set := func(value bool) func(*scenario.Call) {
			return func(call *scenario.Call) {
				switch who := call.Arg(); who {
				case "green":
					s.in.green = value
				case "blue":
					s.in.blue = value
				case "strays":
					s.in.strays = value
				default:
					call.Fatalf("who is %q?", who)
				}
			}
		}
		return scenario.Verbs{
			"deploy":  func(call *scenario.Call) { s = deployVerb(call) },
			"hook":    func(call *scenario.Call) { s.hookVerb(call) },
			"advance": func(call *scenario.Call) { s.now += call.Duration().Milliseconds() },
			"ready":   func(*scenario.Call) { s.in.ready, s.in.green = true, true },
			"unready": func(*scenario.Call) { s.in.ready = false },
			"left":    set(true),
			"gone":    set(false),
			"answer":  func(call *scenario.Call) { s.answerVerb(call) },
			"fail":    func(call *scenario.Call) { s.quit = blanks(call.Arg()) },
			"step":    func(call *scenario.Call) { s.stepVerb(call) },
		}
	})
}

func blanks(s string) string { return strings.ReplaceAll(s, "_", " ") }

func deployVerb(call *scenario.Call) *staged {
	s := newStaged(call.Arg())
	number := func(key string) *int32 {
		if n := call.Int(key, -1); n >= 0 {
			return aws.Int32(int32(n))
		}
		return nil
	}
	percent := func(key string) *float64 {
		if f, err := strconv.ParseFloat(call.Text(key, ""), 64); err == nil {
			return &f
		}
		return nil
	}
	c := s.row.Configuration
	c.BakeTimeInMinutes = number("bake")
	if p, n := percent("step"), number("stepbake"); p != nil || n != nil {
		c.LinearConfiguration = &types.LinearConfiguration{StepPercent: p, StepBakeTimeInMinutes: n}
	}
	if p, n := percent("canary"), number("canarybake"); p != nil || n != nil {
		c.CanaryConfiguration = &types.CanaryConfiguration{CanaryPercent: p, CanaryBakeTimeInMinutes: n}
	}
	if n := call.Int("sources", 1); n != 1 {
		s.row.Sources = nil
		for i := range n {
			s.row.Sources = append(s.row.Sources, fmt.Sprintf("100000000000000000%d", i))
		}
		s.in.strays = n > 1
	}
	s.in.blue = call.Text("blue", "yes") == "yes"
	return s
}

func (s *staged) hookVerb(call *scenario.Call) {
	h := types.DeploymentLifecycleHook{TargetType: types.DeploymentLifecycleHookTargetTypePause}
	if target := call.Arg(); target != "pause" {
		h = types.DeploymentLifecycleHook{HookTargetArn: &target}
	}
	for stage := range strings.SplitSeq(call.Arg(), ",") {
		h.LifecycleStages = append(h.LifecycleStages, types.DeploymentLifecycleHookStage(stage))
	}
	timeout, action := call.Int("timeout", 0), call.Text("action", "")
	if timeout > 0 || action != "" {
		h.TimeoutConfiguration = &types.DeploymentLifecycleHookTimeoutConfiguration{Action: types.DeploymentLifecycleHookAction(action)}
		if timeout > 0 {
			h.TimeoutConfiguration.TimeoutInMinutes = aws.Int32(int32(timeout))
		}
	}
	s.row.Configuration.LifecycleHooks = append(s.row.Configuration.LifecycleHooks, h)
}

func (s *staged) answerVerb(call *scenario.Call) {
	n, err := strconv.Atoi(call.Arg())
	if err != nil || s.row.Stage == nil || n >= len(s.row.Stage.Hooks) {
		call.Fatalf("there is no such hook: %+v", s.row.Stage)
	}
	h := s.row.Stage.Hooks[n]
	h.Status, h.Reason = call.Arg(), blanks(call.Text("reason", ""))
	row, ok := s.row.WithHook(h)
	if !ok {
		call.Fatalf("the hook has ended: %+v", s.row.Stage.Hooks[n])
	}
	s.row = &row
}

func (s *staged) stepVerb(call *scenario.Call) {
	w := newStageWalk(s.input())
	show := func() {
		stage := w.stage.Name
		if w.stage.Back {
			stage += " back"
		}
		if w.stage.Over {
			stage += " is over"
		}
		if w.stage.Step > 0 {
			stage += fmt.Sprintf(", step %d", w.stage.Step+1)
		}
		call.Printf("%s", stage)
	}
	show()
	for w.next() {
		show()
	}
	out := w.output()
	if got := advance(s.input()); !reflect.DeepEqual(got, out) {
		call.Errorf("advance says\n%+v\nand not\n%+v", got, out)
	}
	runs := func(on bool) string {
		if on {
			return "100%"
		}
		return "0%"
	}
	call.Printf("green %s, blue %s", runs(out.green), runs(out.blue))
	if out.weights != nil {
		call.Printf("weights: test %v, production %v", out.weights.Test, out.weights.Production)
	}
	if out.failed != "" {
		call.Printf("given up: %s", out.failed)
	}
	for _, h := range out.happened {
		call.Printf("%s %s %s: %s", h.Type, h.Name, h.Stage, h.Hook.ID)
	}
	for _, why := range out.why {
		call.Printf("why: %s", why)
	}
	if out.wake != 0 {
		call.Printf("wake at %s", time.Duration(out.wake)*time.Millisecond)
	}
	s.write(out)
	again := advance(s.input())
	if again.weights != nil || again.failed != "" || again.happened != nil || !reflect.DeepEqual(again.stage, *s.row.Stage) {
		call.Errorf("asked again it says %+v", again)
	}
}
