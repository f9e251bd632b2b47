package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/acs"
	engine "github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const arnPrefix = "arn:aws:ecs:us-east-1:000000000000:task/default/"

// app is a container that runs the command, or for ever; it ignores SIGTERM.
func app(name string, essential bool, command ...string) acs.Container {
	return acs.Container{Name: name, Image: "web:1", Essential: essential, Command: command, StopTimeout: 2}
}

func assignment(mode string, cs ...acs.Container) acs.Task {
	a := acs.Task{Arn: arnPrefix + "t1", DesiredStatus: "RUNNING", NetworkMode: mode, Containers: cs}
	if mode == "awsvpc" {
		a.NetworkInterfaces = []acs.ENI{{AttachmentArn: "arn:eni", IPv4: []acs.IPAddr{{Address: "10.0.0.9"}}}}
	}
	return a
}

// Our agent's engine, on the fake machine that it is tested with, and a node of the fleet tell the same story of the same
// life, at the same times.
func TestTellsWhatOurAgentTells(t *testing.T) {
	const second = time.Second
	port := app("app", true, "sh", "-c", "sleep 5; exit 3")
	port.PortMappings = []acs.PortMapping{{ContainerPort: 80, HostPort: 8080}, {ContainerPort: 53, Protocol: "udp", HostPort: 5353}}
	for _, c := range []struct {
		name  string
		life  Life
		tasks []acs.Task // the first at once, the others 3 s apart
		last  bool       // only the last report is compared, and the task's statuses: the containers end one by one
	}{
		{name: "a job", life: Life{Start: second, Run: 5 * second, ExitCode: 3, Release: second},
			tasks: []acs.Task{assignment("bridge", app("app", true, "sh", "-c", "sleep 5; exit 3"))}},
		{name: "published ports", life: Life{Start: second, Run: 5 * second, ExitCode: 3, Release: second}, tasks: []acs.Task{assignment("bridge", port)}},
		{name: "an interface of its own", life: Life{Start: second, Run: 5 * second, ExitCode: 3, Release: second},
			tasks: []acs.Task{assignment("awsvpc", app("app", true, "sh", "-c", "sleep 5; exit 3"))}},
		{name: "stopped while it runs", life: Life{Start: second, Stop: 2 * second, Release: second},
			tasks: []acs.Task{assignment("bridge", app("app", true, "sleep", "1000")), {Arn: arnPrefix + "t1", DesiredStatus: "STOPPED"}}},
		{name: "ends while it is stopped", life: Life{Start: second, Run: 3 * second, Stop: 2 * second, Release: second},
			tasks: []acs.Task{assignment("bridge", app("app", true, "sleep", "3")), {Arn: arnPrefix + "t1", DesiredStatus: "STOPPED"}}},
		{name: "stopped before it runs", life: Life{Start: 10 * second, Release: second},
			tasks: []acs.Task{assignment("bridge", app("app", true, "sleep", "1000")), {Arn: arnPrefix + "t1", DesiredStatus: "STOPPED"}}},
		{name: "no image", life: Life{Start: second, Failure: "CannotPullContainerError: pull none:1: not found", Release: second},
			tasks: []acs.Task{assignment("bridge", acs.Container{Name: "app", Image: "none:1", Essential: true})}},
		{name: "runs for a moment", life: Life{Start: second, Run: 1, ExitCode: 1, Release: 1},
			tasks: []acs.Task{assignment("host", app("app", true, "false"))}, last: true},
		{name: "unknown, to be stopped", tasks: []acs.Task{{Arn: arnPrefix + "t1", DesiredStatus: "STOPPED"}}},
		{name: "given twice", life: Life{Start: second, Run: 5 * second, Release: second}, tasks: []acs.Task{
			assignment("bridge", app("app", true, "sleep", "5")), assignment("bridge", app("app", true, "sleep", "5"))}},
		{name: "a stop and a late start", life: Life{Start: second, Run: 5 * second, Release: second}, tasks: []acs.Task{
			{Arn: arnPrefix + "t1", DesiredStatus: "STOPPED"}, assignment("bridge", app("app", true, "sleep", "5"))}},
		{name: "a sidecar", life: Life{Start: second, Run: 5 * second, ExitCode: 3, Release: second}, last: true, tasks: []acs.Task{
			assignment("bridge", app("app", true, "sh", "-c", "sleep 5; exit 3"), app("side", false, "sleep", "1000"))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				theirs := tellEngine(t, c.life, c.tasks)
				ours := tellNode(t, c.life, c.tasks)
				if c.last {
					theirs, ours = digestOf(theirs), digestOf(ours)
				}
				if !slices.Equal(theirs, ours) {
					t.Errorf("our agent tells\n\t%s\nthe node tells\n\t%s", strings.Join(theirs, "\n\t"), strings.Join(ours, "\n\t"))
				}
				if len(ours) == 0 {
					t.Error("nothing was told")
				}
			})
		})
	}
}

// digestOf are the task's statuses after PENDING without repetitions, and the whole last report without its time.
func digestOf(story []string) []string {
	var out []string
	for _, s := range story {
		if status := strings.Fields(s)[1]; status != "PENDING" {
			out = append(out, status)
		}
	}
	_, last, _ := strings.Cut(story[len(story)-1], " ")
	return append(slices.Compact(out), last)
}

// tellEngine lets our agent's engine live the life and returns what it tells: "SECONDS STATUS CONTAINERS ATTACHMENTS".
func tellEngine(t *testing.T, life Life, tasks []acs.Task) (story []string) {
	began := time.Now()
	machine := tasktest.NewNode()
	machine.Images = map[string]string{"web:1": ""}
	machine.Latency = func(op, _ string) time.Duration {
		return map[string]time.Duration{"pull": life.Start, "release": life.Release}[op]
	}
	m := machine.Open(nil)
	e := engine.New(engine.Config{Dir: t.TempDir(), Runtime: m.Runtime, Network: m.Network, Log: slog.New(slog.DiscardHandler),
		Report: func(_ context.Context, batch []engine.Report) error {
			for i := range batch {
				story = append(story, since(began)+tellReport(&batch[i]))
			}
			return nil
		}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for _, a := range tasks {
		if err := e.Accept(ctx, []acs.Task{a}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
	}
	time.Sleep(time.Minute)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return story
}

func since(began time.Time) string { return fmt.Sprintf("%.1fs ", time.Since(began).Seconds()) }

func tellReport(r *engine.Report) string {
	out := r.Status
	for i := range r.Containers {
		c := &r.Containers[i]
		out += " " + c.Name + ":" + c.Status + tellEnd(c.ExitCode, c.Reason)
		for _, b := range c.Bindings {
			out += fmt.Sprintf(" %d->%d/%s", b.HostPort, b.ContainerPort, b.Protocol)
		}
	}
	for _, a := range r.Attachments {
		out += " " + a.AttachmentArn + ":" + a.Status
	}
	return out
}

func tellEnd(code *int32, reason string) string {
	if code != nil {
		return fmt.Sprintf("(%d)", *code)
	}
	if reason != "" {
		return "(" + reason + ")"
	}
	return ""
}

// tellNode lets a node of the fleet live it.
func tellNode(t *testing.T, life Life, tasks []acs.Task) (story []string) {
	began := time.Now()
	n, err := New(Config{Endpoints: []string{"http://nowhere"}, Token: acs.JoinToken{KeyID: "k", Secret: "s", Region: "us-east-1"}, Cluster: "default",
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() },
		Life: func(*acs.Task, *rand.Rand) Life { return life }}, Machine{Name: "n1", CPU: 1, Memory: 1})
	if err != nil {
		t.Fatal(err)
	}
	n.send = func(_ context.Context, reports []acs.SubmitTaskStateChangeRequest) error {
		for i := range reports {
			story = append(story, since(began)+tellSubmission(&reports[i]))
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { n.Run(ctx); close(done) }()
	for _, a := range tasks {
		n.accept([]acs.Task{a})
		time.Sleep(3 * time.Second)
	}
	time.Sleep(time.Minute)
	cancel()
	<-done
	return story
}

func tellSubmission(in *acs.SubmitTaskStateChangeRequest) string {
	out := in.Status
	for _, c := range in.Containers {
		out += " " + c.ContainerName + ":" + c.Status + tellEnd(c.ExitCode, c.Reason)
		for _, b := range c.NetworkBindings {
			out += fmt.Sprintf(" %d->%d/%s", b.HostPort, b.ContainerPort, b.Protocol)
		}
	}
	for _, a := range in.Attachments {
		out += " " + a.AttachmentArn + ":" + a.Status
	}
	return out
}
