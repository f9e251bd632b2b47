package tasktest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Images tells the runtime suite what to run. The commands are those of a busybox-like image.
type Images struct {
	Image   string   // can be pulled
	Missing string   // cannot
	Sleep   []string // runs for minutes and ignores SIGTERM, as a first process without a trap does: sleep 1000
	Exit3   []string // ends with exit code 3 at once: sh -c "exit 3"
	Trap    []string // runs until SIGTERM, then ends with 5: sh -c "trap 'exit 5' TERM; sleep 1000 & wait"
	Bad     []string // cannot be executed: /no/such/program
	Say     []string // writes "hello" and ends with 0: echo hello
}

// patience is how long the suite waits for what takes milliseconds.
const patience = 30 * time.Second

// RunRuntime checks that a Runtime keeps the promises of its contract. Every call of open is another process on the
// same node; what it opens it closes itself (t.Cleanup). Containers have random task ids and are deleted.
func RunRuntime(t *testing.T, open func(t *testing.T) (task.Runtime, Images)) {
	for _, test := range []struct {
		name string
		run  func(*runtimeSuite)
	}{
		{"PullGivesADigest", (*runtimeSuite).pull},
		{"PullOfAMissingImageIsANamedFailure", (*runtimeSuite).pullMissing},
		{"CancelledPullReturns", (*runtimeSuite).pullCancelled},
		{"CreateTwice", (*runtimeSuite).createTwice},
		{"StartIsListedWithPIDAndLabels", (*runtimeSuite).startListed},
		{"StartTwiceRunsOnce", (*runtimeSuite).startTwice},
		{"ExitCodeIsTold", (*runtimeSuite).exitCode},
		{"RestartRunsAgainInPlace", (*runtimeSuite).again},
		{"StopSignalIsHandled", (*runtimeSuite).stopSignal},
		{"SignalByNumberAndToTheDead", (*runtimeSuite).signalDead},
		{"Kill", (*runtimeSuite).kill},
		{"CheckGivesExitCodeAndOutput", (*runtimeSuite).check},
		{"CheckThatTakesTooLongIsKilled", (*runtimeSuite).checkTimeout},
		{"CheckEndsWithItsContext", (*runtimeSuite).checkCancelled},
		{"CheckOfWhatDoesNotRunFails", (*runtimeSuite).checkStopped},
		{"DeleteNeverStartedRunningAndGone", (*runtimeSuite).delete},
		{"BadCommandIsANamedFailure", (*runtimeSuite).badCommand},
		{"AnotherProcessFindsEverything", (*runtimeSuite).restart},
		{"ManyAtOnce", (*runtimeSuite).parallel},
		{"EventsEndWithContext", (*runtimeSuite).eventsEnd},
	} {
		t.Run(test.name, func(t *testing.T) {
			rt, images := open(t)
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			test.run(&runtimeSuite{T: t, ctx: ctx, cancel: cancel, rt: rt, images: images, open: open,
				events: rt.Events(ctx), taskID: randomID()})
		})
	}
}

type runtimeSuite struct {
	*testing.T
	ctx    context.Context //nolint:containedctx // lives as long as one test
	cancel context.CancelFunc
	rt     task.Runtime
	images Images
	open   func(*testing.T) (task.Runtime, Images)
	events <-chan task.Event
	taskID string
}

func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func (s *runtimeSuite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// spec describes a container of the test's task on the node's own network.
func (s *runtimeSuite) spec(name string, command []string) task.ContainerSpec {
	c := acs.Container{Name: name, Image: s.images.Image, Essential: true, Command: command, Memory: 64}
	id := task.ContainerID(s.taskID, name)
	s.Cleanup(func() {
		if err := s.rt.Delete(context.WithoutCancel(s.ctx), id); err != nil {
			s.Error("clean up:", err)
		}
	})
	return task.ContainerSpec{
		ID: id, TaskID: s.taskID, Name: name, Image: s.images.Image, Container: c,
		Task: acs.Task{
			Arn:         "arn:aws:ecs:us-east-1:000000000000:task/default/" + s.taskID,
			NetworkMode: "host", Containers: []acs.Container{c},
		},
		Labels:      map[string]string{task.LabelTask: s.taskID, "test": "yes"},
		Environment: map[string]string{"A": "b"},
		Sandbox:     task.Sandbox{TaskID: s.taskID, Container: name, Mode: "host"},
		LogPath:     filepath.Join(s.TempDir(), "log.json"),
	}
}

func (s *runtimeSuite) create(name string, command []string) string {
	s.Helper()
	_, err := s.rt.Pull(s.ctx, s.images.Image, nil)
	s.must(err)
	spec := s.spec(name, command)
	s.must(s.rt.Create(s.ctx, spec))
	return spec.ID
}

func (s *runtimeSuite) start(name string, command []string) string {
	s.Helper()
	id := s.create(name, command)
	pid, err := s.rt.Start(s.ctx, id)
	s.must(err)
	if pid == 0 {
		s.Fatal("no pid")
	}
	return id
}

// state is what List says about the container, nil if nothing.
func (s *runtimeSuite) state(rt task.Runtime, id string) *task.ContainerState {
	s.Helper()
	all, err := rt.List(s.ctx)
	s.must(err)
	i := slices.IndexFunc(all, func(c task.ContainerState) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// exit waits for the container's exit event and checks that List agrees with it.
func (s *runtimeSuite) exit(id string, code int32) {
	s.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case ev, ok := <-s.events:
			if !ok {
				s.Fatal("events ended")
			}
			if ev.ID != id {
				continue
			}
			if ev.ExitCode != code || ev.FinishedAt.IsZero() || ev.OOMKilled {
				s.Fatalf("exit event %+v, want code %d", ev, code)
			}
			c := s.state(s.rt, id)
			if c == nil || c.Status != task.StatusStopped || c.ExitCode != code || c.FinishedAt.IsZero() {
				s.Fatalf("after the exit List has %+v, want STOPPED with %d", c, code)
			}
			return
		case <-timeout.C:
			s.Fatalf("no exit event of %s", id)
		}
	}
}

func (s *runtimeSuite) pull() {
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			digest, err := s.rt.Pull(s.ctx, s.images.Image, nil)
			if err != nil || !strings.HasPrefix(digest, "sha256:") {
				s.Errorf("pull = %q, %v", digest, err)
			}
		})
	}
	group.Wait()
}

func (s *runtimeSuite) pullMissing() {
	_, err := s.rt.Pull(s.ctx, s.images.Missing, nil)
	if f, ok := errors.AsType[*task.Failure](err); !ok || !strings.HasPrefix(f.Name, "CannotPull") {
		s.Fatalf("pull of a missing image: %v, want a CannotPull... failure", err)
	}
}

func (s *runtimeSuite) pullCancelled() {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := s.rt.Pull(ctx, s.images.Image, nil); err == nil {
		s.Log("the image was there: a cancelled pull may succeed")
	} else if _, named := errors.AsType[*task.Failure](err); named && !errors.Is(err, context.Canceled) {
		s.Fatalf("cancelled pull: %v", err)
	}
}

func (s *runtimeSuite) createTwice() {
	_, err := s.rt.Pull(s.ctx, s.images.Image, nil)
	s.must(err)
	spec := s.spec("app", s.images.Sleep)
	s.must(s.rt.Create(s.ctx, spec))
	s.must(s.rt.Create(s.ctx, spec))
	if c := s.state(s.rt, spec.ID); c == nil || c.Status != task.StatusCreated || !c.StartedAt.IsZero() {
		s.Fatalf("created container is %+v", c)
	}
}

func (s *runtimeSuite) startListed() {
	before := time.Now().Add(-time.Minute)
	id := s.start("app", s.images.Sleep)
	c := s.state(s.rt, id)
	switch {
	case c == nil, c.Status != task.StatusRunning, c.PID == 0:
		s.Fatalf("running container is %+v", c)
	case c.TaskID != s.taskID, c.Name != "app", c.Labels["test"] != "yes":
		s.Fatalf("labels are lost: %+v", c)
	case c.StartedAt.Before(before):
		s.Fatalf("started at %s", c.StartedAt)
	}
}

func (s *runtimeSuite) startTwice() {
	id := s.start("app", s.images.Sleep)
	pid := s.state(s.rt, id).PID
	if again, err := s.rt.Start(s.ctx, id); err != nil || again != pid {
		s.Fatalf("second start = %d, %v; want pid %d", again, err, pid)
	}
}

func (s *runtimeSuite) exitCode() { s.exit(s.start("app", s.images.Exit3), 3) }

func (s *runtimeSuite) stopSignal() {
	id := s.start("app", s.images.Trap)
	// The shell needs a moment to set its trap; until then it ignores the signal, as first processes do.
	stop := make(chan struct{})
	var again sync.WaitGroup
	again.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := s.rt.Signal(s.ctx, id, ""); err != nil {
				s.Error(err)
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	defer again.Wait()
	defer close(stop)
	s.exit(id, 5)
}

func (s *runtimeSuite) signalDead() {
	id := s.start("app", s.images.Exit3)
	s.exit(id, 3)
	s.must(s.rt.Signal(s.ctx, id, "15"))
	s.must(s.rt.Signal(s.ctx, id, "SIGKILL"))
}

func (s *runtimeSuite) kill() {
	id := s.start("app", s.images.Sleep)
	s.must(s.rt.Signal(s.ctx, id, "SIGTERM")) // ignored
	s.must(s.rt.Signal(s.ctx, id, "SIGKILL"))
	s.exit(id, 137)
}

func (s *runtimeSuite) delete() {
	created, running := s.create("created", s.images.Sleep), s.start("running", s.images.Sleep)
	for _, id := range []string{created, running, created, task.ContainerID(s.taskID, "never")} {
		s.must(s.rt.Delete(s.ctx, id))
		if c := s.state(s.rt, id); c != nil {
			s.Fatalf("deleted container is %+v", c)
		}
	}
}

func (s *runtimeSuite) badCommand() {
	_, err := s.rt.Pull(s.ctx, s.images.Image, nil)
	s.must(err)
	spec := s.spec("app", s.images.Bad)
	if err = s.rt.Create(s.ctx, spec); err == nil {
		_, err = s.rt.Start(s.ctx, spec.ID)
	}
	f, ok := errors.AsType[*task.Failure](err)
	if !ok || f.Name != "CannotCreateContainerError" && f.Name != "CannotStartContainerError" {
		s.Fatalf("bad command: %v, want a CannotCreate- or CannotStartContainerError", err)
	}
	s.must(s.rt.Delete(s.ctx, spec.ID))
}

func (s *runtimeSuite) restart() {
	created, running := s.create("created", s.images.Sleep), s.start("running", s.images.Sleep)
	ended := s.start("ended", s.images.Exit3)
	s.exit(ended, 3)
	pid := s.state(s.rt, running).PID
	other, _ := s.open(s.T)
	for id, status := range map[string]string{
		created: task.StatusCreated, running: task.StatusRunning, ended: task.StatusStopped,
	} {
		if c := s.state(other, id); c == nil || c.Status != status || c.TaskID != s.taskID {
			s.Errorf("another process sees %+v, want %s", c, status)
		}
	}
	if c := s.state(other, running); c.PID != pid {
		s.Errorf("another process sees pid %d, want %d", c.PID, pid)
	}
	if c := s.state(other, ended); c.ExitCode != 3 {
		s.Errorf("another process sees exit code %d, want 3", c.ExitCode)
	}
	events := other.Events(s.ctx)
	s.must(other.Signal(s.ctx, running, "SIGKILL"))
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case ev := <-events:
			if ev.ID == running {
				return
			}
		case <-timeout.C:
			s.Fatal("another process hears no exit")
		}
	}
}

func (s *runtimeSuite) parallel() {
	_, err := s.rt.Pull(s.ctx, s.images.Image, nil)
	s.must(err)
	var group sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		spec := s.spec(name, s.images.Sleep)
		group.Go(func() {
			if err := s.rt.Create(s.ctx, spec); err != nil {
				s.Error(err)
				return
			}
			if _, err := s.rt.Start(s.ctx, spec.ID); err != nil {
				s.Error(err)
			}
			if err := s.rt.Delete(s.ctx, spec.ID); err != nil {
				s.Error(err)
			}
		})
	}
	group.Wait()
}

func (s *runtimeSuite) eventsEnd() {
	s.cancel()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case _, ok := <-s.events:
			if !ok {
				return
			}
		case <-timeout.C:
			s.Fatal("the channel of events is not closed after its context ended")
		}
	}
}
