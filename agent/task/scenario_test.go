package task_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// TestScenarios runs testdata/*.txt: a script, a line "----", and the transcript of what Step decided. -update
// rewrites the transcripts. The language:
//
//	task [mode=MODE]                     begin a task, then its containers:
//	container NAME [essential] [after=NAME:CONDITION,...] [links=NAME,...] [stop=SECONDS] [start=SECONDS] [health]
//	cleanup DURATION                     keep stopped containers that long (default 3h)
//	run                                  hand the assignment over
//	ok [VERB [CONTAINER]]                what is under way (of this kind) succeeds, or ends if it was cancelled
//	begun VERB CONTAINER                 its effect is there, the answer still to come
//	up                                   ok until nothing is under way
//	fail VERB CONTAINER NAME: TEXT       it fails for good
//	retry VERB CONTAINER TEXT            it fails in passing
//	exit CONTAINER CODE [oom]            its process ends
//	vanish CONTAINER                     it is gone from the runtime, found by a resync
//	health CONTAINER STATUS
//	stop                                 the control plane wants the task stopped
//	ack                                  it has accepted STOPPED
//	restart                              the agent crashes and comes back with what is on disk
//	reboot                               the node restarts: what ran is there, but never started; then as restart
//	advance DURATION
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(data), "----\n")
			got := play(t, script)
			if *update {
				if err := os.WriteFile(file, []byte(script+"----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("transcript differs; -update rewrites it. Got:\n%s", got)
			}
		})
	}
}

var update = flag.Bool("update", false, "rewrite the transcripts in testdata") //nolint:gochecknoglobals // a flag

// scenario plays one script.
type scenario struct {
	t     *testing.T
	task  acs.Task
	keep  time.Duration
	world *world
	out   strings.Builder
}

func play(t *testing.T, script string) string {
	s := &scenario{t: t, keep: 3 * time.Hour}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if s.world == nil && f[0] != "run" {
			s.declare(f)
			continue
		}
		fmt.Fprintf(&s.out, "> %s\n", line)
		s.act(f, line)
	}
	return s.out.String()
}

func (s *scenario) declare(f []string) {
	switch f[0] {
	case "task":
		s.task = acs.Task{Arn: "arn:aws:ecs:us-east-1:000000000000:task/default/t1", DesiredStatus: task.StatusRunning}
		for _, o := range f[1:] {
			s.task.NetworkMode = strings.TrimPrefix(o, "mode=")
		}
	case "container":
		s.task.Containers = append(s.task.Containers, s.container(f[1:]))
	case "cleanup":
		s.keep = s.duration(f[1])
	default:
		s.t.Fatalf("%s before run", f[0])
	}
}

func (s *scenario) container(f []string) acs.Container {
	c := acs.Container{Name: f[0], Image: f[0]}
	for _, o := range f[1:] {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "essential":
			c.Essential = true
		case "health":
			c.HealthCheckType = "docker"
		case "links":
			c.Links = strings.Split(value, ",")
		case "stop":
			c.StopTimeout = int64(s.number(value))
		case "start":
			c.StartTimeout = int64(s.number(value))
		case "after":
			for d := range strings.SplitSeq(value, ",") {
				name, condition, _ := strings.Cut(d, ":")
				c.DependsOn = append(c.DependsOn, acs.Dependency{ContainerName: name, Condition: condition})
			}
		default:
			s.t.Fatalf("container option %s", o)
		}
	}
	return c
}

func (s *scenario) act(f []string, line string) {
	w := s.world
	switch f[0] {
	case "run":
		w = newWorld(&s.task)
		w.d.CleanupAfter = s.keep
		w.log = func(format string, args ...any) {
			fmt.Fprintf(&s.out, "%s %s\n", w.now.Sub(epoch), strings.TrimSpace(fmt.Sprintf(format, args...)))
		}
		s.world = w
		w.step()
	case "ok":
		s.ok(f[1:])
	case "begun":
		w.begin(s.under(f))
	case "up":
		for len(w.doing) > 0 {
			w.finish(0, true, nil)
		}
	case "fail":
		name, text, _ := strings.Cut(strings.Join(f[3:], " "), ": ")
		w.finish(s.under(f), false, &task.Failure{Name: name, Err: errors.New(text)})
	case "retry":
		w.finish(s.under(f), false, errors.New(strings.Join(f[3:], " ")))
	case "exit":
		w.exit(f[1], int32(s.number(f[2])), len(f) > 3)
		w.step()
	case "vanish":
		delete(w.boxes, f[1])
		old := w.s
		w.s = w.s.Resync(nil, w.now.Add(time.Second), w.now)
		w.changes(old)
		w.step()
	case "health":
		w.s = w.s.SetHealth(f[1], f[2])
		w.step()
	case "stop":
		w.d.Stop = true
		w.step()
	case "ack":
		w.s = w.s.Ack()
		w.step()
	case "reboot":
		for _, b := range w.boxes {
			b.Status, b.PID = task.StatusCreated, 0
		}
		w.restart(s.disk())
	case "restart":
		w.restart(s.disk())
	case "advance":
		w.advance(s.duration(f[1]))
	default:
		s.t.Fatalf("what is %q?", line)
	}
	if !w.wake.IsZero() {
		fmt.Fprintf(&s.out, "wake at %s\n", w.wake.Sub(epoch))
	}
}

// ok finishes everything that was under way when it began, or only the actions that are named.
func (s *scenario) ok(f []string) {
	todo := slices.Clone(s.world.doing)
	for _, a := range todo {
		if len(f) > 0 && string(a.Verb) != f[0] || len(f) > 1 && a.Container != f[1] {
			continue
		}
		i := slices.IndexFunc(s.world.doing, func(d task.Action) bool { return same(d, a.Verb, a.Container) })
		s.world.finish(i, true, nil)
	}
}

func (s *scenario) under(f []string) int {
	i := slices.IndexFunc(s.world.doing, func(a task.Action) bool { return string(a.Verb) == f[1] && a.Container == strings.Trim(f[2], "-") })
	if i < 0 {
		s.t.Fatalf("%s %s is not under way", f[1], f[2])
	}
	return i
}

// disk is the state after a way through the disk.
func (s *scenario) disk() task.State {
	text, err := json.Marshal(s.world.s)
	if err != nil {
		s.t.Fatal(err)
	}
	var back task.State
	if err := json.Unmarshal(text, &back); err != nil {
		s.t.Fatal(err)
	}
	return back
}

func (s *scenario) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *scenario) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}
