package task_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// shelf is a node's volumes: it keeps who has which, and refuses what would lose data.
type shelf struct {
	dir string
	mu  sync.Mutex
	has map[string]map[string]bool // task -> volume -> attached
	err error                      // of the next Attach
}

func (s *shelf) Attach(_ context.Context, taskID string, v acs.Volume) (task.Volume, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.err; err != nil {
		s.err = nil
		return task.Volume{}, err
	}
	if s.has[taskID] == nil {
		s.has[taskID] = map[string]bool{}
	}
	s.has[taskID][v.Name] = true
	return task.Volume{Source: s.dir + "/" + v.Name, Seed: v.Docker != nil}, nil
}

func (s *shelf) Storage(_ context.Context, taskID string, gib int64) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has[taskID] == nil {
		s.has[taskID] = map[string]bool{}
	}
	s.has[taskID]["storage"] = true
	return fmt.Sprintf("%s/storage-%s-%d", s.dir, taskID, gib), nil
}

func (s *shelf) Detach(_ context.Context, taskID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.has[taskID] {
		s.has[taskID][v] = false
	}
	return nil
}

func (s *shelf) Remove(_ context.Context, taskID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.has, taskID)
	return nil
}

func (s *shelf) List(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.has)), nil
}

// attached says which volumes a task has, and "-" if it has only had some.
func (s *shelf) attached(taskID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has[taskID] == nil {
		return ""
	}
	var out []string
	for _, v := range slices.Sorted(maps.Keys(s.has[taskID])) {
		if s.has[taskID][v] {
			out = append(out, v)
		}
	}
	return strings.Join(out, " ") + "-"
}

// [D] SEMANTICS §13.5: volumes are there before their containers, are given back when these have stopped, and are removed with
// the task; [I] an agent that finds some of a task that it does not know removes them.
func TestVolumesFollowTheTask(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		shelf := &shelf{dir: s.conf.Dir, has: map[string]map[string]bool{"stranger": {"x": true}}, err: errors.New("busy")}
		var seen []task.Mount
		var storage string
		s.conf.Volumes, s.conf.CleanupAfter = shelf, time.Minute
		s.conf.Decorate = func(spec *task.ContainerSpec) { seen, storage = spec.Mounts, spec.Storage }
		l := s.start(nil)
		c := app("app", "sleep", "5")
		c.MountPoints = []acs.MountPoint{{SourceVolume: "d", ContainerPath: "/d"}, {SourceVolume: "e", ContainerPath: "/e", ReadOnly: true}, {SourceVolume: "a", ContainerPath: "/a"}}
		a := run("t1", c)
		a.EphemeralStorage = 21
		a.Volumes = []acs.Volume{
			{Name: "d", Type: "docker", Docker: &acs.DockerVolume{Scope: "task"}}, {Name: "e", Type: "efs", EFS: &acs.EFSVolume{}}, {Name: "a", Type: "host"},
		}
		s.accept(l, a)
		time.Sleep(time.Second) // the first try met a busy node
		settle()
		s.want("running", s.plane.last("t1").Status, task.StatusRunning)
		s.want("stranger's volumes", shelf.attached("stranger"), "")
		s.want("volumes", shelf.attached("t1"), "d e storage-")
		own := shelf.dir + "/storage-t1-21"
		s.want("storage", storage, own)
		if want := []task.Mount{
			{Source: shelf.dir + "/d", Destination: "/d", Seed: true}, {Source: shelf.dir + "/e", Destination: "/e", ReadOnly: true},
			{Source: own + "/volumes/a", Destination: "/a", Seed: true},
		}; !slices.Equal(seen, want) {
			t.Errorf("mounts %+v, want %+v", seen, want)
		}
		s.end(l)
		l = s.start(nil) // another agent leaves them alone
		settle()
		s.want("volumes after a restart", shelf.attached("t1"), "d e storage-")
		time.Sleep(10 * time.Second)
		settle()
		s.want("stopped", s.plane.last("t1").Status, task.StatusStopped)
		s.want("volumes of a stopped task", shelf.attached("t1"), "-")
		time.Sleep(2 * time.Minute)
		settle()
		s.want("volumes of a task that is forgotten", shelf.attached("t1"), "")
		s.end(l)
	})
}

// [I] A node without such volumes says so.
func TestVolumesThatANodeLacks(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		a := run("t1", app("app"))
		a.EphemeralStorage = 21
		l := s.start(nil)
		s.accept(l, a)
		settle()
		if r := s.plane.last("t1"); r.Status != task.StatusStopped || !strings.HasPrefix(r.Containers[0].Reason, "ResourceInitializationError: ") {
			t.Errorf("%+v", r)
		}
		s.end(l)
	})
}
