package hooks_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/model"
)

// What a target is told, member by member [D]: only the stages that are about traffic tell of weights.
func TestRequest(t *testing.T) {
	const rest = `"serviceArn":"arn:aws:ecs:us-east-1:000000000000:service/c/web",
		"targetServiceRevisionArn":"arn:aws:ecs:us-east-1:000000000000:service-revision/c/web/1000000000000000002",`
	const tail = `"resourceArn":"arn:aws:ecs:us-east-1:000000000000:service-deployment/c/web/record"`
	const revision = `"arn:aws:ecs:us-east-1:000000000000:service-revision/c/web/`
	for _, c := range []struct {
		name    string
		stage   model.Stage
		details map[string]any
		want    string
	}{
		{"no weights", model.Stage{Name: model.StagePostScaleUp, Blue: blue}, nil,
			`{"executionDetails":{` + rest + `"testTrafficWeights":{},"productionTrafficWeights":{}},"executionId":"hook-0","lifecycleStage":"POST_SCALE_UP",` + tail + `}`},
		{"test traffic", model.Stage{Name: model.StageTestShift, Blue: blue, TestWeight: 100}, nil,
			`{"executionDetails":{` + rest + `"testTrafficWeights":{` + revision + `1000000000000000001":0,` + revision + `1000000000000000002":100},
			"productionTrafficWeights":{}},"executionId":"hook-0","lifecycleStage":"TEST_TRAFFIC_SHIFT",` + tail + `}`},
		{"before a step", model.Stage{Name: model.StagePreProductionShift, Blue: blue, TestWeight: 100, ProductionWeight: 30, Step: 1}, nil,
			`{"executionDetails":{` + rest + `"testTrafficWeights":{},"productionTrafficWeights":{` + revision + `1000000000000000001":70,` + revision + `1000000000000000002":30}},
			"executionId":"hook-0","lifecycleStage":"PRE_PRODUCTION_TRAFFIC_SHIFT",` + tail + `}`},
		{"a first deployment has no blue side", model.Stage{Name: model.StageProductionShift, ProductionWeight: 100}, nil,
			`{"executionDetails":{` + rest + `"testTrafficWeights":{},"productionTrafficWeights":{` + revision + `1000000000000000002":100}},
			"executionId":"hook-0","lifecycleStage":"PRODUCTION_TRAFFIC_SHIFT",` + tail + `}`},
		{"on the way back", model.Stage{Name: model.StageProductionShift, Blue: blue, Back: true}, nil,
			`{"executionDetails":{` + rest + `"testTrafficWeights":{},"productionTrafficWeights":{` + revision + `1000000000000000001":100,` + revision + `1000000000000000002":0}},
			"executionId":"hook-0","lifecycleStage":"PRODUCTION_TRAFFIC_SHIFT",` + tail + `}`},
		{"details of the configuration", model.Stage{Name: model.StagePreScaleUp}, map[string]any{"bucket": "b", "n": 0},
			`{"executionDetails":{` + rest + `"testTrafficWeights":{},"productionTrafficWeights":{}},"executionId":"hook-0","lifecycleStage":"PRE_SCALE_UP",` + tail + `,
			"hookDetails":{"bucket":"b","n":0}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.listen(silent)
				w.deploy(c.stage, target)
				synctest.Wait()
				if c.details != nil { // the hook is due again with them
					w.listen(says(`{"hookStatus":"IN_PROGRESS"}`))
					w.change(func(d *model.Deployment) { d.Stage = nil })
					synctest.Wait() // until it is seen, and the call given up
					w.deploy(c.stage, target)
					w.change(withDetails(c.details))
					time.Sleep(time.Minute)
				}
				heard := w.heard()
				w.expect("the request", heard[len(heard)-1].body, squeeze(c.want))
			})
		})
	}
}

// IN_PROGRESS: called again after callBackDelay seconds, 30 if it does not say, with the same executionId, and with what it
// wants to be told again [D].
func TestInProgress(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen(says(`{"hookStatus":"IN_PROGRESS","hookDetails":{"seen":1,"bucket":"mine"}}`))
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		w.change(withDetails(map[string]any{"bucket": "b", "zone": "z"}))
		time.Sleep(29 * time.Second)
		w.listen(says(`{"hookStatus":"IN_PROGRESS","callBackDelay":60,"hookDetails":{"seen":2}}`))
		time.Sleep(30 * time.Second)
		w.listen(says(`{"hookStatus":"SUCCEEDED"}`))
		time.Sleep(time.Hour)
		var at []string
		for _, c := range w.heard() {
			if !strings.Contains(c.body, `"executionId":"hook-0"`) {
				t.Errorf("another executionId: %s", c.body)
			}
			_, details, _ := strings.Cut(c.body, `"hookDetails":`)
			at = append(at, fmt.Sprintf("%s %s", c.at, details))
		}
		w.expect("calls", strings.Join(at[1:], "\n"), `30s {"bucket":"mine","seen":1,"zone":"z"}}
1m30s {"bucket":"mine","seen":2,"zone":"z"}}`)
		if h := w.hook(0); h.Status != model.HookSucceeded || h.Calls != 3 {
			t.Errorf("the hook is %+v", h)
		}
	})
}

// Whatever else a target says is its failure [D]; the words of the reasons are [O] and [I].
func TestAnswers(t *testing.T) {
	const unreadable = "ECS was unable to parse the response from https://hook.example/check due to: "
	for _, c := range []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		reason string
	}{
		{"failed [O]", says(`{"hookStatus":"FAILED"}`), "Lifecycle hook target https://hook.example/check returned FAILED status."},
		{"no status [O]", says(`{}`), unreadable + "HookStatus must not be null."},
		{"null", says(`null`), unreadable + "HookStatus must not be null."},
		{"another status", says(`{"hookStatus":"MAYBE"}`), unreadable + "HookStatus must be SUCCEEDED, FAILED or IN_PROGRESS."},
		{"no JSON", says(`<html>`), unreadable + "invalid character '<' looking for beginning of value."},
		{"nothing", says(``), unreadable + "unexpected end of JSON input."},
		{"too long", says(`{"hookStatus":"SUCCEEDED","hookDetails":"` + strings.Repeat("x", 300<<10) + `"}`), unreadable + "it is longer than 262144 bytes."},
		{"details that are none", says(`{"hookStatus":"IN_PROGRESS","hookDetails":{"x":"` + strings.Repeat("x", 70<<10) + `"}}`), unreadable + "HookDetails must be an object of at most 65536 bytes."},
		{"error", replies(500, `{"hookStatus":"SUCCEEDED"}`), "Lifecycle hook target https://hook.example/check answered with HTTP status 500."},
		{"it sends us elsewhere", replies(302, `{"hookStatus":"SUCCEEDED"}`), "Lifecycle hook target https://hook.example/check answered with HTTP status 302."},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.listen(c.answer)
				w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
				time.Sleep(time.Hour)
				h := w.hook(0)
				w.expect("the hook", h.Status+": "+h.Reason, "FAILED: "+c.reason)
				if n := len(w.heard()); n != 1 {
					t.Errorf("called %d times", n)
				}
			})
		})
	}
}

// What is no URL or task definition fails, and says what to use instead.
func TestOtherTargets(t *testing.T) {
	for _, target := range []string{"arn:aws:lambda:us-east-1:000000000000:function:f", "http://127.0.0.1/", "arn:aws:ecs:us-east-1:000000000000:cluster/c", ""} {
		inWorld(t, func(w *world) {
			w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
			time.Sleep(time.Second)
			h := w.hook(0)
			w.expect("the hook", h.Status+": "+h.Reason, "FAILED: Lifecycle hook target "+target+" cannot be called: Roadstead runs no Lambda functions. "+
				"Use an https:// URL, or the ARN of a task definition, instead.")
			if len(w.heard()) > 0 {
				t.Errorf("%s was called", target)
			}
		})
	}
}

// A connection that breaks is tried again three times, in ever longer pauses [I].
func TestConnectionErrors(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen(unreachable)
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		time.Sleep(time.Hour)
		var at []string
		for _, c := range w.heard() {
			at = append(at, c.at.String())
		}
		w.expect("calls", strings.Join(at, " "), "0s 1s 6s 31s")
		h := w.hook(0)
		w.expect("the hook", h.Status+": "+h.Reason, `FAILED: Lifecycle hook target https://hook.example/check could not be called: Post "https://hook.example/check": connection refused.`)
	})
	inWorld(t, func(w *world) {
		w.listen(unreachable)
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		time.Sleep(5 * time.Second)
		w.listen(says(`{"hookStatus":"SUCCEEDED"}`))
		time.Sleep(5 * time.Second)
		w.expect("the hook", w.hook(0).Status, model.HookSucceeded)
	})
}

// One invocation has 15 minutes [D].
func TestInvocationLimit(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen(silent)
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		time.Sleep(15*time.Minute - time.Second)
		w.expect("the hook", w.hook(0).Status, model.HookInProgress)
		time.Sleep(2 * time.Second)
		h := w.hook(0)
		w.expect("the hook", h.Status+": "+h.Reason, "FAILED: Lifecycle hook target https://hook.example/check did not answer within 15 minutes.")
		if n := len(w.heard()); n != 1 {
			t.Errorf("called %d times", n)
		}
	})
}

// The hooks of a stage are called all at once [D], and pauses are not.
func TestHooksOfAStage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen(silent)
		w.deploy(model.Stage{Name: model.StagePreScaleUp, Hooks: []model.Hook{{ID: "pause", Status: model.HookAwaitingAction}}}, target, target, target)
		synctest.Wait()
		if n := len(w.heard()); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}

// A hook that has ended meanwhile is let go of, and its answer does not count.
func TestEndedMeanwhile(t *testing.T) {
	inWorld(t, func(w *world) {
		var gone error
		w.listen(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			gone = r.Context().Err()
			return says(`{"hookStatus":"FAILED"}`)(r)
		})
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		time.Sleep(time.Second)
		w.change(func(d *model.Deployment) {
			h := d.Stage.Hooks[0]
			h.Status = model.HookTimedOut
			*d, _ = d.WithHook(h)
		})
		synctest.Wait()
		if gone == nil {
			t.Error("the call goes on")
		}
		w.expect("the hook", w.hook(0).Status, model.HookTimedOut)
	})
}

// A leader that comes calls again what the one before it has no answer of, with the same executionId; what is not due yet, it
// calls when it is due.
func TestLeaderChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		change := func() {
			stop := w.stop
			w.stop = w.member()
			stop()
			if err := w.db.AwaitLead(w.Context()); err != nil {
				w.Fatal(err)
			}
			synctest.Wait()
		}
		w.listen(silent)
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		synctest.Wait()
		w.listen(says(`{"hookStatus":"IN_PROGRESS"}`))
		change()
		heard := w.heard()
		if len(heard) != 2 || heard[0].body != heard[1].body {
			w.Fatalf("calls: %+v", heard)
		}
		w.listen(says(`{"hookStatus":"SUCCEEDED"}`))
		change()
		time.Sleep(29 * time.Second)
		w.expect("the hook", w.hook(0).Status, model.HookInProgress)
		time.Sleep(2 * time.Second)
		w.expect("the hook", w.hook(0).Status, model.HookSucceeded)
	})
}

// A lead that is lost and won again unnoticed is harmless: the call goes on, and its answer counts.
func TestLeadIsLostAndWon(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen(func(r *http.Request) (*http.Response, error) {
			time.Sleep(10 * time.Second)
			return says(`{"hookStatus":"SUCCEEDED"}`)(r)
		})
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		time.Sleep(time.Second)
		w.store.Depose()
		time.Sleep(time.Minute)
		w.expect("the hook", w.hook(0).Status, model.HookSucceeded)
	})
}

// Who does not lead calls nobody.
func TestOnlyTheLeaderCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		leader := w.db
		w.member()
		w.db = leader
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, target)
		time.Sleep(time.Hour)
		if n := len(w.heard()); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

var errNetwork = errors.New("network is down")

// More hooks than are performed at once get their turn.
func TestMany(t *testing.T) {
	inWorld(t, func(w *world) {
		w.listen(func(r *http.Request) (*http.Response, error) {
			select {
			case <-time.After(time.Minute):
				return says(`{"hookStatus":"SUCCEEDED"}`)(r)
			case <-r.Context().Done():
				return nil, errNetwork
			}
		})
		targets := make([]string, 600)
		for i := range targets {
			targets[i] = target
		}
		w.deploy(model.Stage{Name: model.StagePreScaleUp}, targets...)
		time.Sleep(2*time.Minute + time.Second)
		done := 0
		for i := range targets {
			if w.hook(i).Status == model.HookSucceeded {
				done++
			}
		}
		if done != 512 {
			t.Errorf("%d are done after two rounds of 256", done)
		}
		time.Sleep(time.Minute)
		if n := len(w.heard()); n != 600 {
			t.Errorf("%d calls for 600 hooks", n)
		}
	})
}
