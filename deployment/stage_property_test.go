package deployment

import (
	"reflect"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/model"
)

// Whatever happens: no stage is skipped, traffic goes only to a revision that was healthy, a rollback brings all of it back at
// once and lets green go, asking twice changes nothing, and in the end it is over (SEMANTICS §9).
func TestStagesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawStaged(t)
		j := &journey{T: t, s: s}
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			j.event()
			j.step()
		}
		for range 200 { // from now on everybody does what is asked
			if s.row.Stage != nil && s.row.Stage.Over {
				return
			}
			j.obey()
			j.step()
		}
		t.Fatalf("it does not end: %+v", s.row.Stage)
	})
}

func drawStaged(t *rapid.T) *staged {
	s := newStaged(rapid.SampledFrom([]string{model.StrategyBlueGreen, model.StrategyLinear, model.StrategyCanary}).Draw(t, "strategy"))
	c := s.row.Configuration
	c.BakeTimeInMinutes = aws.Int32(rapid.Int32Range(0, 1440).Draw(t, "bake"))
	c.LinearConfiguration = &types.LinearConfiguration{StepPercent: aws.Float64(float64(rapid.IntRange(30, 1000).Draw(t, "step")) / 10),
		StepBakeTimeInMinutes: aws.Int32(rapid.Int32Range(0, 1440).Draw(t, "stepbake"))}
	c.CanaryConfiguration = &types.CanaryConfiguration{CanaryPercent: aws.Float64(float64(rapid.IntRange(1, 1000).Draw(t, "canary")) / 10),
		CanaryBakeTimeInMinutes: aws.Int32(rapid.Int32Range(0, 1440).Draw(t, "canarybake"))}
	stages := []string{model.StageReconcile, model.StagePreScaleUp, model.StagePostScaleUp, model.StageTestShift, model.StagePostTestShift,
		model.StagePreProductionShift, model.StageProductionShift, model.StagePostProduction}
	for range rapid.IntRange(0, 3).Draw(t, "hooks") {
		h := types.DeploymentLifecycleHook{TargetType: rapid.SampledFrom([]types.DeploymentLifecycleHookTargetType{"", "AWS_LAMBDA", "PAUSE"}).Draw(t, "type"),
			TimeoutConfiguration: &types.DeploymentLifecycleHookTimeoutConfiguration{TimeoutInMinutes: aws.Int32(rapid.Int32Range(1, 1440).Draw(t, "timeout")),
				Action: rapid.SampledFrom([]types.DeploymentLifecycleHookAction{"", "CONTINUE", "ROLLBACK"}).Draw(t, "action")}}
		for _, stage := range rapid.SliceOfDistinct(rapid.SampledFrom(stages), rapid.ID).Draw(t, "stages") {
			h.LifecycleStages = append(h.LifecycleStages, types.DeploymentLifecycleHookStage(stage))
		}
		c.LifecycleHooks = append(c.LifecycleHooks, h)
	}
	s.row.Sources = make([]string, rapid.IntRange(0, 2).Draw(t, "sources"))
	s.in.blue, s.in.strays = len(s.row.Sources) > 0, len(s.row.Sources) > 1
	return s
}

// journey is a deployment and what was seen of it.
type journey struct {
	*rapid.T
	s     *staged
	up    bool // green was ready in SCALE_UP
	given bool // it was given up
	last  stageOutput
}

// event is something that happens to the deployment.
func (j *journey) event() {
	in := &j.s.in
	switch rapid.SampledFrom([]string{"time", "time", "answer", "answer", "ready", "unready", "gone", "fail"}).Draw(j.T, "event") {
	case "time":
		j.s.now += rapid.Int64Range(0, 3_600_000).Draw(j.T, "ms")
	case "answer":
		j.answer(rapid.SampledFrom([]string{model.HookSucceeded, model.HookSucceeded, model.HookSucceeded, model.HookFailed}).Draw(j.T, "status"))
	case "ready":
		if j.last.green {
			in.ready, in.green = true, true
		}
	case "unready":
		in.ready = false
	case "gone":
		in.strays = false
		j.stop()
	case "fail":
		if rapid.IntRange(0, 9).Draw(j.T, "luck") == 0 {
			j.s.quit = "reason."
		}
	}
}

func (j *journey) answer(status string) {
	if j.s.row.Stage == nil {
		return
	}
	for _, h := range j.s.row.Stage.Hooks {
		h.Status = status
		if row, ok := j.s.row.WithHook(h); ok {
			j.s.row = &row
		}
	}
}

// stop lets the tasks go that are not wanted.
func (j *journey) stop() {
	j.s.in.blue = j.s.in.blue && j.last.blue
	j.s.in.green = j.s.in.green && j.last.green
}

func (j *journey) obey() {
	j.answer(model.HookSucceeded)
	j.stop()
	j.s.in.strays = false
	if j.last.green {
		j.s.in.ready, j.s.in.green = true, true
	}
	j.s.now = max(j.s.now, j.last.wake)
}

// step asks, checks the answer and writes it.
func (j *journey) step() {
	s := j.s
	w := newStageWalk(s.input())
	for j.passed(nil, &w.stage); ; {
		before := w.stage
		if !w.next() {
			break
		}
		j.passed(&before, &w.stage)
	}
	out := w.output()
	if !reflect.DeepEqual(advance(s.input()), out) {
		j.Fatal("advance is not the walk")
	}
	j.check(out)
	s.write(out)
	j.last = out
	if again := advance(s.input()); again.weights != nil || again.failed != "" || again.happened != nil || !reflect.DeepEqual(again.stage, out.stage) {
		j.Fatalf("asked twice it says %+v after %+v", again, out)
	}
}

// passed checks one move from stage to stage.
func (j *journey) passed(from, to *model.Stage) {
	order := stageOrder()
	switch {
	case from == nil:
		if j.s.row.Stage == nil && to.Name != model.StageReconcile && to.Name != model.StagePreScaleUp {
			j.Fatalf("it begins with %s", to.Name)
		}
	case from.Over:
		j.Fatalf("after the end comes %+v", to)
	case to.Back && !from.Back:
		if to.TestWeight != 0 || to.ProductionWeight != 0 {
			j.Fatalf("traffic is left behind: %+v", to)
		}
	case from.Back && !to.Back:
		j.Fatalf("it goes forth again: %+v", to)
	case to.Over:
		if from.Name != model.StageCleanUp {
			j.Fatalf("it ends in %s", from.Name)
		}
	case from.Back: // the shifts, the other way
		if slices.Index([]string{model.StageProductionShift, model.StageTestShift, model.StageCleanUp}, to.Name) <= slices.Index([]string{model.StageProductionShift, model.StageTestShift, model.StageCleanUp}, from.Name) {
			j.Fatalf("back from %s to %s", from.Name, to.Name)
		}
	case from.Name == model.StageProductionShift && to.Name == model.StagePreProductionShift:
		if to.Step != from.Step+1 || from.ProductionWeight >= 100 {
			j.Fatalf("from %+v to %+v", from, to)
		}
	default:
		if slices.Index(order, to.Name) != slices.Index(order, from.Name)+1 || to.Step != from.Step {
			j.Fatalf("from %s to %s", from.Name, to.Name)
		}
		if from.Name == model.StageScaleUp {
			j.up = j.up || j.s.in.ready
		}
	}
	if from != nil && !to.Back && (to.ProductionWeight < from.ProductionWeight || to.TestWeight < from.TestWeight) {
		j.Fatalf("traffic goes back: %+v to %+v", from, to)
	}
}

// check looks at an answer.
func (j *journey) check(out stageOutput) {
	stage := out.stage
	if (stage.TestWeight > 0 || stage.ProductionWeight > 0) && !j.up {
		j.Fatalf("traffic for what was never healthy: %+v", stage)
	}
	if out.failed != "" && j.given {
		j.Fatalf("given up twice: %s", out.failed)
	}
	j.given = j.given || out.failed != ""
	if stage.Back != j.given {
		j.Fatalf("given up %t, but %+v", j.given, stage)
	}
	if !out.blue && (stage.ProductionWeight < 100 || stage.Back) {
		j.Fatalf("blue has traffic and goes: %+v", stage)
	}
	if !out.green && stage.ProductionWeight > 0 {
		j.Fatalf("green has traffic and goes: %+v", stage)
	}
	if stage.Over && stage.Back && (j.s.in.green || out.green) {
		j.Fatalf("rolled back, but green is left")
	}
	if stage.Over && !stage.Back && (j.s.in.blue || stage.ProductionWeight != 100) {
		j.Fatalf("succeeded, but %+v", stage)
	}
	if out.wake != 0 && out.wake <= j.s.now {
		j.Fatalf("wake in the past")
	}
	if !stage.Over && out.why == nil {
		j.Fatalf("nobody knows why it is in %+v", stage)
	}
}
