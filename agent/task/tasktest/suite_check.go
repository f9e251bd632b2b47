package tasktest

import (
	"context"
	"errors"
	"time"

	"github.com/roadstead/roadstead/agent/task"
)

func (s *runtimeSuite) check() {
	id := s.start("app", s.images.Sleep)
	for range 2 {
		run, err := s.rt.Check(s.ctx, id, s.images.Exit3, patience)
		if err != nil || run.ExitCode != 3 || run.TimedOut {
			s.Fatalf("check = %+v, %v; want exit code 3", run, err)
		}
		run, err = s.rt.Check(s.ctx, id, s.images.Say, patience)
		if err != nil || run.ExitCode != 0 || run.Output != "hello\n" {
			s.Fatalf("check = %+v, %v; want hello", run, err)
		}
	}
	other, _ := s.open(s.T)
	if run, err := other.Check(s.ctx, id, s.images.Say, patience); err != nil || run.Output != "hello\n" {
		s.Fatalf("check by another process = %+v, %v", run, err)
	}
	_, err := s.rt.Check(s.ctx, id, s.images.Bad, patience)
	if _, named := errors.AsType[*task.Failure](err); !named {
		s.Fatalf("check with a command that is not there: %v, want a failure with a name", err)
	}
	if c := s.state(s.rt, id); c == nil || c.Status != task.StatusRunning {
		s.Fatalf("after its checks the container is %+v", c)
	}
}

func (s *runtimeSuite) checkTimeout() {
	id := s.start("app", s.images.Sleep)
	began := time.Now()
	run, err := s.rt.Check(s.ctx, id, s.images.Sleep, 200*time.Millisecond)
	if took := time.Since(began); err != nil || !run.TimedOut || took < 200*time.Millisecond || took > patience {
		s.Fatalf("check = %+v, %v after %s; want that it timed out", run, err, took)
	}
	if run, err = s.rt.Check(s.ctx, id, s.images.Exit3, patience); err != nil || run.ExitCode != 3 {
		s.Fatalf("check after one that timed out = %+v, %v", run, err)
	}
}

func (s *runtimeSuite) checkCancelled() {
	id := s.start("app", s.images.Sleep)
	ctx, cancel := context.WithTimeout(s.ctx, 200*time.Millisecond)
	defer cancel()
	if run, err := s.rt.Check(ctx, id, s.images.Sleep, patience); err == nil {
		s.Fatalf("cancelled check = %+v", run)
	}
	if run, err := s.rt.Check(s.ctx, id, s.images.Exit3, patience); err != nil || run.ExitCode != 3 {
		s.Fatalf("check after one that was cancelled = %+v, %v", run, err)
	}
}

func (s *runtimeSuite) checkStopped() {
	created, ended := s.create("created", s.images.Sleep), s.start("ended", s.images.Exit3)
	s.exit(ended, 3)
	for _, id := range []string{created, ended, task.ContainerID(s.taskID, "never")} {
		if run, err := s.rt.Check(s.ctx, id, s.images.Exit3, patience); err == nil {
			s.Errorf("check of %s = %+v", id, run)
		}
	}
}
