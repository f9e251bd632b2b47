package task_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/test/scenario"
)

// TestScenarios runs testdata/*.txt, whose transcripts say what Step decided. The language:
//
//	task [mode=MODE]                     begin a task, then its containers:
//	container NAME [essential] [after=NAME:CONDITION,...] [links=NAME,...] [stop=SECONDS] [start=SECONDS]
//	          [restart=SECONDS[:CODE,CODE...]] restart policy with its period and ignored exit codes
//	          [router|routed]            it is the log router, or logs through it
//	          [health [interval=SECONDS] [timeout=SECONDS] [retries=N] [period=SECONDS]]
//	cleanup DURATION                     keep stopped containers that long (default 3h)
//	run                                  hand the assignment over
//	ok [VERB [CONTAINER]]                what is under way (of this kind) succeeds, or ends if it was cancelled
//	begun VERB CONTAINER                 its effect is there, the answer still to come
//	up                                   ok until nothing is under way
//	fail VERB CONTAINER NAME: TEXT       it fails for good
//	retry VERB CONTAINER TEXT            it fails in passing
//	exit CONTAINER CODE [oom]            its process ends
//	vanish CONTAINER                     it is gone from the runtime, found by a resync
//	passes|fails|hangs CONTAINER         the health check under way ends so; "away": the runtime does not answer
//	health CONTAINER PASSES...           time passes, and that many checks end as they say: p, f or h
//	stop                                 the control plane wants the task stopped
//	ack                                  it has accepted STOPPED
//	restart                              the agent crashes and comes back with what is on disk
//	reboot                               the node restarts: what ran is there, but never started; then as restart
//	advance DURATION
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txt", func(*testing.T) scenario.Verbs {
		p := &player{keep: 3 * time.Hour}
		verbs := scenario.Verbs{
			"task":      p.begin,
			"container": func(c *scenario.Call) { p.task.Containers = append(p.task.Containers, container(c)) },
			"cleanup":   func(c *scenario.Call) { p.keep = c.Duration() },
		}
		for name, act := range p.acts() {
			verbs[name] = func(c *scenario.Call) {
				p.call = c
				act(c)
				if !p.world.wake.IsZero() {
					c.Printf("wake at %s", p.world.wake.Sub(epoch))
				}
			}
		}
		return verbs
	})
}

// player plays one file.
type player struct {
	task  acs.Task
	keep  time.Duration
	world *world
	call  *scenario.Call // under way
}

func (p *player) begin(c *scenario.Call) {
	p.task = acs.Task{
		Arn: "arn:aws:ecs:us-east-1:000000000000:task/default/t1", DesiredStatus: task.StatusRunning, NetworkMode: c.Text("mode", ""),
	}
}

func container(c *scenario.Call) acs.Container {
	name := c.Arg()
	out := acs.Container{
		Name: name, Image: name, Links: c.List("links"), StopTimeout: c.Int("stop", 0), StartTimeout: c.Int("start", 0),
	}
	if period, ignored, _ := strings.Cut(c.Text("restart", ""), ":"); period != "" {
		out.RestartPolicy = &acs.RestartPolicy{Enabled: true, AttemptPeriod: number(c, period)}
		for code := range strings.SplitSeq(ignored, ",") {
			if code != "" {
				out.RestartPolicy.IgnoredExitCodes = append(out.RestartPolicy.IgnoredExitCodes, int32(number(c, code)))
			}
		}
	}
	for _, d := range c.List("after") {
		name, condition, _ := strings.Cut(d, ":")
		out.DependsOn = append(out.DependsOn, acs.Dependency{ContainerName: name, Condition: condition})
	}
	for o := c.Arg(); o != ""; o = c.Arg() {
		switch o {
		case "essential":
			out.Essential = true
		case "router":
			out.Firelens = &acs.Firelens{Type: "fluentbit"}
		case "routed":
			out.Docker.HostConfig = `{"LogConfig":{"Type":"awsfirelens"}}`
		case "health":
			out.HealthCheckType, out.Docker.Config = "docker", healthConfig(c)
		default:
			c.Fatalf("container option %s", o)
		}
	}
	return out
}

func number(c *scenario.Call, text string) int64 {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		c.Fatal(err)
	}
	return n
}

// healthConfig is the definition of a health check, in Docker's nanoseconds.
func healthConfig(c *scenario.Call) string {
	const second = int64(time.Second)
	text, err := json.Marshal(acs.ContainerConfig{Healthcheck: &acs.Healthcheck{
		Test: []string{"CMD", "true"}, Interval: c.Int("interval", 0) * second, Timeout: c.Int("timeout", 0) * second,
		Retries: int(c.Int("retries", 0)), StartPeriod: c.Int("period", 0) * second,
	}})
	if err != nil {
		c.Fatal(err)
	}
	return string(text)
}

// acts are the verbs that make Step decide.
func (p *player) acts() map[string]func(*scenario.Call) {
	return map[string]func(*scenario.Call){
		"run": func(*scenario.Call) {
			p.world = newWorld(&p.task)
			p.world.d.CleanupAfter = p.keep
			p.world.log = func(format string, args ...any) {
				p.call.Printf("%s %s", p.world.now.Sub(epoch), strings.TrimSpace(fmt.Sprintf(format, args...)))
			}
			p.world.step()
		},
		"ok":    p.ok,
		"begun": func(c *scenario.Call) { p.world.begin(p.under(c)) },
		"up": func(*scenario.Call) {
			for len(p.world.doing) > 0 {
				p.world.finish(0, true, nil)
			}
		},
		"fail": func(c *scenario.Call) {
			i := p.under(c)
			name, text, _ := strings.Cut(rest(c), ": ")
			p.world.finish(i, false, &task.Failure{Name: name, Err: errors.New(text)})
		},
		"retry": func(c *scenario.Call) {
			i := p.under(c)
			p.world.finish(i, false, errors.New(rest(c)))
		},
		"exit": func(c *scenario.Call) {
			name := c.Arg()
			code, err := strconv.ParseInt(c.Arg(), 10, 32)
			if err != nil {
				c.Fatal(err)
			}
			p.world.exit(name, int32(code), c.Arg() == "oom")
			p.world.step()
		},
		"vanish": func(c *scenario.Call) {
			w := p.world
			delete(w.boxes, c.Arg())
			old := w.s
			w.s = w.s.Resync(nil, w.now.Add(time.Second), w.now)
			w.changes(old)
			w.step()
		},
		"passes":  func(c *scenario.Call) { p.checked(c.Arg(), "p") },
		"fails":   func(c *scenario.Call) { p.checked(c.Arg(), "f") },
		"hangs":   func(c *scenario.Call) { p.checked(c.Arg(), "h") },
		"away":    func(c *scenario.Call) { p.checked(c.Arg(), "a") },
		"health":  p.health,
		"ack":     func(*scenario.Call) { p.become(p.world.s.Ack()) },
		"stop":    func(*scenario.Call) { p.world.d.Stop = true; p.world.step() },
		"restart": func(c *scenario.Call) { p.world.restart(p.disk(c)) },
		"reboot": func(c *scenario.Call) {
			for _, b := range p.world.boxes {
				b.Status, b.PID = task.StatusCreated, 0
			}
			p.world.restart(p.disk(c))
		},
		"advance": func(c *scenario.Call) { p.world.advance(c.Duration()) },
	}
}

// health waits for one check after another.
func (p *player) health(c *scenario.Call) {
	name := c.Arg()
	for how := c.Arg(); how != ""; how = c.Arg() {
		for waited := time.Duration(0); !p.world.underWay(task.VerbCheck, name); waited += time.Second {
			if waited > time.Hour {
				c.Fatalf("%s is not checked", name)
			}
			p.world.advance(time.Second)
		}
		p.checked(name, how)
	}
}

// checked ends the check of the container that is under way.
func (p *player) checked(name, how string) {
	p.world.finishCheck(name, map[string]task.CheckRun{
		"p": {Output: "well\n"}, "f": {ExitCode: 1, Output: "ill\n"}, "h": {TimedOut: true},
	}[how], map[string]error{"a": errors.New("unavailable")}[how])
}

func (p *player) become(s task.State) {
	p.world.s = s
	p.world.step()
}

// ok finishes everything that was under way when it began, or only the actions that are named.
func (p *player) ok(c *scenario.Call) {
	verb, container := c.Arg(), c.Arg()
	for _, a := range slices.Clone(p.world.doing) {
		if verb != "" && string(a.Verb) != verb || container != "" && a.Container != container {
			continue
		}
		i := slices.IndexFunc(p.world.doing, func(d task.Action) bool { return same(d, a.Verb, a.Container) })
		p.world.finish(i, true, nil)
	}
}

// under takes a verb and a container ("-" for the task itself), and finds their action among those under way.
func (p *player) under(c *scenario.Call) int {
	verb, container := c.Arg(), c.Arg()
	i := slices.IndexFunc(p.world.doing, func(a task.Action) bool { return same(a, task.Verb(verb), strings.Trim(container, "-")) })
	if i < 0 {
		c.Fatalf("%s %s is not under way", verb, container)
	}
	return i
}

// rest takes all arguments that are left.
func rest(c *scenario.Call) string {
	var words []string
	for w := c.Arg(); w != ""; w = c.Arg() {
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// disk is the state after a way through the disk.
func (p *player) disk(c *scenario.Call) task.State {
	text, err := json.Marshal(p.world.s)
	if err != nil {
		c.Fatal(err)
	}
	var back task.State
	if err := json.Unmarshal(text, &back); err != nil {
		c.Fatal(err)
	}
	return back
}
