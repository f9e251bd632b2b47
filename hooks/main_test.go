package hooks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/hooks"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

const (
	target = "https://hook.example/check"
	green  = "1000000000000000002"
	blue   = "1000000000000000001"
)

// world is a control plane whose members perform hooks, in a bubble, and the targets of the hooks.
type world struct {
	*testing.T
	store *state.Memory
	db    *state.DB // of the member that was started last
	stop  func()    // stops it

	launchType string // of the service

	mu     sync.Mutex
	calls  []call
	answer func(*http.Request) (*http.Response, error) // what targets do
}

// call is one that a target has got.
type call struct {
	at   time.Duration // since the world began
	body string
}

// inWorld runs a test in a bubble with one member.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, store: state.NewMemory(), launchType: "EC2", answer: says(`{"hookStatus": "SUCCEEDED"}`)}
		w.stop = w.member()
		f(w)
	})
}

func (w *world) open() *state.DB {
	return state.Open(state.Config{Backend: w.store.Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal},
		NewIndex: func() state.Index { return scheduler.NewIndex() }})
}

// plain lets a member that performs no hooks do something.
func (w *world) plain(f func(w *world)) {
	w.db = w.open()
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- w.db.Run(ctx) }()
	if err := w.db.AwaitLead(ctx); err != nil {
		w.Fatal(err)
	}
	f(w)
	cancel()
	<-done
}

// member starts a member and returns what stops it.
func (w *world) member() (stop func()) {
	db := w.open()
	n := 0
	id := func() string { n++; return fmt.Sprintf("%032x", n) }
	h := hooks.New(hooks.Config{DB: db, Transport: w, NewID: id, NewUUID: id, Seed: func() uint64 { return 1 }})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.Context()))
	done := make(chan error, 2)
	go func() { done <- db.Run(ctx) }()
	go func() { done <- h.Run(ctx) }()
	if w.db == nil {
		if err := db.AwaitLead(w.Context()); err != nil {
			w.Fatal(err)
		}
	}
	w.db = db
	stop = sync.OnceFunc(func() {
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				w.Errorf("Run ended with %v", err)
			}
		}
	})
	w.Cleanup(stop)
	return stop
}

var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble

// RoundTrip is the network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.calls = append(w.calls, call{time.Since(began), string(body)})
	answer := w.answer
	w.mu.Unlock()
	return answer(r)
}

// listen lets targets answer so from now on.
func (w *world) listen(answer func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// heard are the calls until now.
func (w *world) heard() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// says is a target that answers with a body.
func says(body string) func(*http.Request) (*http.Response, error) {
	return replies(http.StatusOK, body)
}

func replies(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// silent is a target that does not answer.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// unreachable is a target that cannot be reached.
func unreachable(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

func (w *world) update(f func(tx *state.Tx)) {
	w.Helper()
	if err := w.db.Update(w.Context(), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

// deploy puts a deployment into a stage, with one hook in progress for each target.
func (w *world) deploy(stage model.Stage, targets ...string) {
	w.Helper()
	d := model.Deployment{Scope: scope, Cluster: "c", Service: "web", ID: green, RecordID: "record", Status: model.DeploymentPrimary,
		State: "IN_PROGRESS", Stage: &stage, Configuration: &types.DeploymentConfiguration{Strategy: "BLUE_GREEN"}}
	for i, target := range targets {
		d.Configuration.LifecycleHooks = append(d.Configuration.LifecycleHooks, types.DeploymentLifecycleHook{HookTargetArn: aws.String(target)})
		stage.Hooks = append(stage.Hooks, model.Hook{ID: fmt.Sprintf("hook-%d", i), Index: i, Status: model.HookInProgress,
			CallAt: time.Now().UnixMilli(), ExpiresAt: time.Now().Add(24 * time.Hour).UnixMilli()})
	}
	d.Stage = &stage
	w.update(func(tx *state.Tx) {
		tx.Deployments.Put(&d)
		tx.Revisions.Put(&model.Revision{Scope: scope, Cluster: "c", Service: "web", ID: green, Spec: types.ServiceRevision{LaunchType: types.LaunchType(w.launchType)}})
	})
}

// change changes the deployment's row.
func (w *world) change(f func(d *model.Deployment)) {
	w.Helper()
	w.update(func(tx *state.Tx) {
		have, _ := tx.Deployments.Get(model.DeploymentKey(scope, "c", "web", green))
		d := *have
		f(&d)
		tx.Deployments.Put(&d)
	})
}

// withDetails gives the first hook the details in its configuration.
func withDetails(details map[string]any) func(d *model.Deployment) {
	return func(d *model.Deployment) {
		c := *d.Configuration
		c.LifecycleHooks = slices.Clone(c.LifecycleHooks)
		c.LifecycleHooks[0].HookDetails = document.NewLazyDocument(details)
		d.Configuration = &c
	}
}

// hook is the state of a hook.
func (w *world) hook(n int) model.Hook {
	w.Helper()
	d, ok := w.db.Snapshot().Deployments.Get(model.DeploymentKey(scope, "c", "web", green))
	if !ok || n >= len(d.Stage.Hooks) {
		w.Fatalf("there is no hook %d: %+v", n, d)
	}
	return d.Stage.Hooks[n]
}

// expect compares texts.
func (w *world) expect(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: got\n%s\nwant\n%s", what, got, want)
	}
}

// squeeze takes the line breaks out of a JSON text that a test has laid out.
func squeeze(text string) string {
	var b bytes.Buffer
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line))
	}
	return b.String()
}
