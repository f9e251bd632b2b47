package deployment

import (
	"slices"
	"time"

	"github.com/roadstead/roadstead/model"
)

// stageLimit is how long a stage may last that waits for tasks (SEMANTICS §9) [D].
const stageLimit = 24 * time.Hour

// stageInput is a deployment in stages at a moment. Its revision is green; blue is the one that traffic is taken from; all
// others are strays, left by deployments that were given up for this one.
type stageInput struct {
	now        model.Millis
	deployment *model.Deployment
	// from is the id of the blue revision when the deployment begins, "" if there is none.
	from string
	// ready: as many tasks as are desired are green and healthy.
	ready bool
	// green, blue and strays say of whom there are tasks left.
	green, blue, strays bool
	// failure is why the deployment has to be given up, "" if it need not: the circuit breaker, an alarm, somebody's wish.
	failure string
}

// stageOutput is what follows from it.
type stageOutput struct {
	stage model.Stage
	wanted
	// weights are what the traffic is to be set to, nil if nothing has changed.
	weights *Weights
	// failed is why the deployment is given up from now on, "" if it is not, or was before. A sentence.
	failed   string
	happened []Happening
	wake     model.Millis // 0: only if something changes
	why      []string     // what it waits for
}

// wanted says which revisions are to have their full number of tasks in a stage; the others are to have none. Strays never
// have any.
type wanted struct{ green, blue bool }

func wantedIn(s *model.Stage) wanted {
	if s.Back {
		return wanted{green: s.Name != model.StageCleanUp, blue: true}
	}
	return wanted{green: reached(s.Name, model.StageScaleUp), blue: s.Name != model.StageCleanUp}
}

// stageOrder is the way of a deployment that succeeds. The shift of the production traffic goes round once for each step.
func stageOrder() []string {
	return []string{model.StageReconcile, model.StagePreScaleUp, model.StageScaleUp, model.StagePostScaleUp,
		model.StageTestShift, model.StagePostTestShift, model.StagePreProductionShift, model.StageProductionShift,
		model.StagePostProduction, model.StageBakeTime, model.StageCleanUp}
}

// reached reports whether the stage is the other one, or comes after it.
func reached(stage, other string) bool {
	order := stageOrder()
	return slices.Index(order, stage) >= slices.Index(order, other)
}

// advance takes the deployment as far through its stages as it comes now. Who has asked once and written what was answered is
// told the same again: nothing is due before wake, unless the input changes.
func advance(in stageInput) stageOutput {
	w := newStageWalk(in)
	for w.next() {
	}
	return w.output()
}

// stageWalk is a deployment on its way.
type stageWalk struct {
	stageInput
	stage    model.Stage
	failed   string
	happened []Happening
}

func newStageWalk(in stageInput) *stageWalk {
	w := &stageWalk{stageInput: in}
	switch had := in.deployment.Stage; {
	case had != nil:
		w.stage = *had
		w.stage.Hooks = slices.Clone(had.Hooks)
	case len(in.deployment.Sources) > 1:
		w.stage.Blue = in.from
		w.enter(model.StageReconcile)
	default:
		w.stage.Blue = in.from
		w.enter(model.StagePreScaleUp)
	}
	return w
}

// next takes the deployment to its next stage; false if it has to stay where it is.
func (w *stageWalk) next() bool {
	if w.stage.Over {
		return false
	}
	w.expireHooks()
	w.tellHooks()
	if !w.stage.Back {
		if reason := w.broken(); reason != "" {
			w.giveUp(reason)
			return true
		}
	}
	if !w.hooksEnded() || w.waits() != "" {
		return false
	}
	switch stage := w.stage.Name; {
	case stage == model.StageCleanUp:
		w.stage.Over = true
	case w.stage.Back && stage == model.StageProductionShift:
		w.enter(model.StageTestShift)
	case w.stage.Back:
		w.enter(model.StageCleanUp)
	case stage == model.StageProductionShift && !w.lastStep():
		w.stage.Step++
		w.enter(model.StagePreProductionShift)
	default:
		order := stageOrder()
		w.enter(order[slices.Index(order, stage)+1])
	}
	return true
}

// enter begins a stage: traffic moves and hooks are called.
func (w *stageWalk) enter(name string) {
	w.stage.Name, w.stage.Since = name, w.now
	switch {
	case w.stage.Back:
	case name == model.StageTestShift:
		w.stage.TestWeight = 100
	case name == model.StageProductionShift:
		w.stage.ProductionWeight = w.percent()
	}
	w.beginHooks()
}

// broken says why the deployment cannot go on, "" if it can.
func (w *stageWalk) broken() string {
	if w.failure != "" {
		return w.failure
	}
	if reason := w.failedHooks(); reason != "" {
		return reason
	}
	stage := w.stage.Name
	if (stage == model.StageReconcile || stage == model.StageScaleUp) && w.waits() != "" && w.now >= w.after(stageLimit) {
		return "Service deployment rolled back because the " + stage + " stage did not complete within 24 hours." // [I]
	}
	return ""
}

// giveUp turns back: all traffic returns to blue at once, those who are told of shifts are told of this one, and green goes
// (SEMANTICS §9) [D]. What they answer makes no difference any more.
func (w *stageWalk) giveUp(reason string) {
	w.failed = reason
	back := model.StageCleanUp
	switch {
	case w.stage.ProductionWeight > 0:
		back = model.StageProductionShift
	case reached(w.stage.Name, model.StageTestShift):
		back = model.StageTestShift
	}
	w.stage.Back, w.stage.TestWeight, w.stage.ProductionWeight = true, 0, 0
	w.enter(back)
}

// waits says what the stage waits for besides its hooks, "" if it may end. A sentence for operators.
func (w *stageWalk) waits() string {
	switch w.stage.Name {
	case model.StageReconcile:
		if w.strays {
			return "tasks of revisions that were given up have not stopped yet"
		}
	case model.StageScaleUp:
		if !w.ready {
			return "the new revision does not have all of its tasks yet, or they are not all healthy"
		}
	case model.StageProductionShift:
		if at := w.after(w.stepBake()); !w.stage.Back && !w.lastStep() && w.now < at {
			return "the next step of the traffic is due at " + clock(at)
		}
	case model.StageBakeTime:
		if at := w.after(w.bake()); w.now < at {
			return "the bake time ends at " + clock(at)
		}
	case model.StageCleanUp:
		switch {
		case w.stage.Back && w.green:
			return "tasks of the new revision have not stopped yet"
		case !w.stage.Back && w.blue:
			return "tasks of the old revision have not stopped yet"
		}
	}
	return ""
}

// after is a moment in the stage, so long after it began.
func (w *stageWalk) after(d time.Duration) model.Millis { return w.stage.Since + d.Milliseconds() }

func clock(at model.Millis) string { return time.UnixMilli(at).UTC().Format(time.RFC3339) }

// wake is when the stage changes though nothing else does: the first of its moments that is still to come.
func (w *stageWalk) wake() model.Millis {
	if w.stage.Over {
		return 0
	}
	var moments []model.Millis
	for i := range w.stage.Hooks {
		if h := &w.stage.Hooks[i]; !h.Ended() {
			moments = append(moments, h.ExpiresAt)
		}
	}
	switch w.stage.Name {
	case model.StageReconcile, model.StageScaleUp:
		moments = append(moments, w.after(stageLimit))
	case model.StageProductionShift:
		if !w.stage.Back && !w.lastStep() {
			moments = append(moments, w.after(w.stepBake()))
		}
	case model.StageBakeTime:
		moments = append(moments, w.after(w.bake()))
	}
	wake := model.Millis(0)
	for _, at := range moments {
		if at > w.now && (wake == 0 || at < wake) {
			wake = at
		}
	}
	return wake
}

func (w *stageWalk) output() stageOutput {
	out := stageOutput{stage: w.stage, failed: w.failed, happened: w.happened, wake: w.wake()}
	out.wanted = wantedIn(&w.stage)
	var before model.Stage
	if had := w.deployment.Stage; had != nil {
		before = *had
	}
	if w.stage.TestWeight != before.TestWeight || w.stage.ProductionWeight != before.ProductionWeight {
		out.weights = &Weights{Deployment: w.deployment.ID, Test: w.stage.TestWeight, Production: w.stage.ProductionWeight}
	}
	if w.stage.Over {
		return out
	}
	for _, reason := range append(w.hookWaits(), w.waits()) {
		if reason != "" {
			out.why = append(out.why, "Stage "+w.stage.Name+": "+reason+".")
		}
	}
	return out
}
