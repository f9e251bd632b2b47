package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "000000000000"

var scope = model.Scope{Account: account, Region: "us-east-1"}

// world is one member of a control plane inside a bubble: everything of it runs in virtual time, sockets being pipes.
type world struct {
	*testing.T
	store    *state.Memory
	db       *state.DB
	sessions *session.Sessions
	pipe     *pipeListener
	ids      atomic.Int64
	records  []string                                    // of exec sessions
	roles    func(r session.Role) (acs.RoleCreds, error) // nil: any role can be assumed for an hour
	issued   int
	disk     *disk
}

// disk is a backend that can be full, or slow.
type disk struct {
	state.Backend
	full    atomic.Bool
	commits atomic.Int64
	tight   atomic.Int64                  // pairs that a commit may have, 0: as many as it likes
	held    atomic.Pointer[chan struct{}] // commits wait until it is closed; nil: they do not
}

func (d *disk) Commit(ctx context.Context, term state.Term, seq int64, pairs []state.Pair) (int64, error) {
	d.commits.Add(1)
	if held := d.held.Load(); held != nil {
		<-*held
	}
	if d.full.Load() {
		return 0, state.ErrNoSpace
	}
	return d.Backend.Commit(ctx, term, seq, pairs)
}

func (d *disk) MaxBatch() (pairs, bytes int) {
	pairs, bytes = d.Backend.MaxBatch()
	if n := int(d.tight.Load()); n > 0 {
		pairs = n
	}
	return pairs, bytes
}

// hold lets nothing become durable until release is called.
func (d *disk) hold() (release func()) {
	held := make(chan struct{})
	d.held.Store(&held)
	return func() { d.held.Store(nil); close(held) }
}

// inWorld runs f in a bubble with a member that leads, and with two instances i1, i2 and a definition.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newMember(t, state.NewMemory())
		w.update(func(tx *state.Tx) {
			name, image, essential := "app", "web:1", true
			tx.Definitions.Put(&model.TaskDefinition{Scope: scope, Family: "web", Revision: 1, Status: model.DefinitionActive, Spec: types.TaskDefinition{
				ContainerDefinitions: []types.ContainerDefinition{{Name: &name, Image: &image, Essential: &essential, Memory: new(int32(64))}}}})
			for _, id := range []string{"i1", "i2"} {
				tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: id, Status: model.InstanceActive, Version: 1})
			}
		})
		f(w)
	})
}

// newMember returns a member of the control plane whose state is in the store, when it leads or waits to.
func newMember(t *testing.T, store *state.Memory) *world {
	w := &world{T: t, store: store, pipe: &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}, disk: &disk{Backend: store.Member()}}
	w.db = state.Open(state.Config{Backend: w.disk, Codec: state.SpecCodec{Marshal: json.Marshal, Unmarshal: json.Unmarshal}, Advertise: "http://member"})
	w.sessions = session.New(session.Config{DB: w.db, Log: slog.New(slog.DiscardHandler), NewID: func() string { return fmt.Sprint("m", w.ids.Add(1)) },
		Role: func(_ *state.Tables, r session.Role) (acs.RoleCreds, error) {
			if w.roles != nil {
				return w.roles(r)
			}
			w.issued++
			return acs.RoleCreds{CredentialsID: "id-" + r.Task.ID, RoleArn: r.ARN, AccessKeyID: fmt.Sprint(r.ARN, "-", w.issued),
				Expiration: time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, nil
		},
		ExecEnded: func(_ context.Context, _ *model.Task, m *acs.RoadsteadExecEnded) error {
			w.records = append(w.records, m.SessionID)
			return nil
		}})
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", w.sessions.ServeACS)
	mux.HandleFunc("/tcs/ws", w.sessions.ServeTCS)
	srv := &http.Server{Handler: asAccount(mux)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{}, 3)
	go func() { _ = w.db.Run(ctx); done <- struct{}{} }()
	go func() { _ = w.sessions.Run(ctx); done <- struct{}{} }()
	go func() { _ = srv.Serve(w.pipe); done <- struct{}{} }()
	t.Cleanup(func() {
		cancel()
		w.sessions.Disconnect()
		_ = srv.Close()
		<-done
		<-done
		<-done
	})
	synctest.Wait()
	return w
}

// asAccount stands for signature verification: the account is a header.
func asAccount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Account"); a != "" {
			r = r.WithContext(auth.WithPrincipal(r.Context(), auth.Principal{Account: a, Region: scope.Region, Kind: model.KeyNode}))
		}
		next.ServeHTTP(w, r)
	})
}

func (w *world) update(f func(*state.Tx)) {
	w.Helper()
	if err := w.db.Update(w.Context(), func(tx *state.Tx) error { f(tx); return nil }); err != nil {
		w.Fatal(err)
	}
}

// run writes tasks that are to run on the instance.
func (w *world) run(instance string, ids ...string) {
	w.Helper()
	w.update(func(tx *state.Tx) {
		for _, id := range ids {
			tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c", Definition: "web:1", Network: "bridge"},
				ID: id, Instance: instance, Desired: model.TaskRunning, Last: model.TaskProvisioning, Version: 1,
				Containers: []model.Container{{Name: "app", Status: model.TaskPending, Essential: true}}})
		}
	})
}

// change replaces a task's row.
func (w *world) change(id string, f func(*model.Task)) {
	w.Helper()
	w.update(func(tx *state.Tx) {
		t, ok := tx.Tasks.Get(model.TaskKey(scope, "c", id))
		if !ok {
			w.Fatalf("no task %s", id)
		}
		next := t.Relaunched(func(*model.Launch) {})
		f(&next)
		tx.Tasks.Put(&next)
	})
}

// stop asks for the end of tasks.
func (w *world) stop(ids ...string) {
	w.Helper()
	for _, id := range ids {
		w.change(id, func(t *model.Task) { *t, _ = t.Stop(model.StopUserInitiated, "x", 1) })
	}
}

// statuses are lastStatus of the tasks, "t1:PENDING t2:RUNNING".
func (w *world) statuses() string {
	var out []string
	for t := range w.db.Snapshot().TasksOf(scope, "c") {
		out = append(out, t.ID+":"+t.Last)
	}
	return strings.Join(out, " ")
}

func (w *world) instance(id string) *model.Instance {
	w.Helper()
	i, ok := w.db.Snapshot().Instances.Get(model.InstanceKey(scope, "c", id))
	if !ok {
		w.Fatalf("no instance %s", id)
	}
	return i
}

func (w *world) want(what string, got, want any) {
	w.Helper()
	if got != want {
		w.Errorf("%s\n got %v\nwant %v", what, got, want)
	}
}

// pipeListener hands out the ends of pipes, on which a bubble can wait.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// dial opens a connection to the listener.
func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
