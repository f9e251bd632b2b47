package tasktest

import (
	"github.com/roadstead/roadstead/agent/task"
)

// again: what has ended runs once more under its id, whoever asks, and its next end is told like the first.
func (s *runtimeSuite) again() {
	id := s.start("app", s.images.Exit3)
	s.exit(id, 3)
	pid, err := s.rt.Restart(s.ctx, id)
	s.must(err)
	if pid == 0 {
		s.Error("no process")
	}
	s.exit(id, 3)

	id = s.start("other", s.images.Sleep)
	before := s.state(s.rt, id)
	pid, err = s.rt.Restart(s.ctx, id)
	s.must(err)
	if pid != before.PID {
		s.Errorf("a running container became process %d, was %d", pid, before.PID)
	}
	s.must(s.rt.Signal(s.ctx, id, "SIGKILL"))
	s.exit(id, 137)
	pid, err = s.rt.Restart(s.ctx, id)
	s.must(err)
	if after := s.state(s.rt, id); after.Status != task.StatusRunning || after.PID != pid || pid == before.PID || !after.StartedAt.After(before.StartedAt) {
		s.Errorf("restarted as %+v, process %d; was %+v", after, pid, before)
	}
	rt, _ := s.open(s.T)
	if after := s.state(rt, id); after.Status != task.StatusRunning || after.PID != pid || after.Labels["test"] != "yes" {
		s.Errorf("another process sees %+v", after)
	}
}
