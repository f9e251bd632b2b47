package session_test

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// say sends reports under a message's id, and returns what they were answered with.
func (a *agent) say(id string, reports ...acs.SubmitTaskStateChangeRequest) string {
	a.w.Helper()
	a.heard()
	a.send(acs.RoadsteadReports{MessageID: id, Reports: reports})
	got := a.heard()
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.last.(*acs.RoadsteadReported)
	if !ok || got != "RoadsteadReported" || m.MessageID != id {
		return got
	}
	out := "taken" + m.Error
	for _, arn := range m.Unknown {
		out += " but " + arn
	}
	return out
}

func report(task, status string, containers ...acs.ContainerChange) acs.SubmitTaskStateChangeRequest {
	return acs.SubmitTaskStateChangeRequest{Task: model.TaskARN(scope, "c", task), Status: status, Containers: containers}
}

// docs/decisions/042: what a task's agent says moves it forward, never back, and is answered when it is durable.
func TestReports(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2")
		w.run("i2", "t3")
		a := w.connect("i1")
		a.ack()
		up := acs.ContainerChange{ContainerName: "app", RuntimeID: "r1", ImageDigest: "sha256:1", Status: "RUNNING",
			NetworkBindings: []acs.NetworkBinding{{BindIP: "0.0.0.0", ContainerPort: 80, HostPort: 32768, Protocol: "tcp"}}}
		one := report("t1", "RUNNING", up)
		one.PullStartedAt = 946684800.251
		w.want("two of a message", a.say("m1", one, report("t2", "RUNNING", up)), "taken")
		w.want("both are RUNNING", w.statuses(), "t1:RUNNING t2:RUNNING t3:PROVISIONING")
		row := w.task("t1")
		w.want("what was said is there", row.Containers[0].RuntimeID+" "+row.Containers[0].Digest, "r1 sha256:1")
		w.want("its port", row.Containers[0].Bindings[0].HostPort, int32(32768))
		w.want("when it was pulled", row.PullStartedAt, model.Millis(946684800251))
		before := w.db.Snapshot().Revision
		w.want("said again", a.say("m2", one), "taken")
		w.want("which changes nothing", w.db.Snapshot().Revision, before)
		code := int32(3)
		down := acs.ContainerChange{ContainerName: "app", Status: "STOPPED", ExitCode: &code}
		w.want("run and end in one message", a.say("m3", report("t2", "RUNNING", up), report("t2", "STOPPED", up, down)), "taken")
		w.want("it is over", w.statuses(), "t1:RUNNING t2:STOPPED t3:PROVISIONING")
		w.want("with its exit code", w.task("t2").Containers[0].ExitCode, code)
		w.want("late", a.say("m4", report("t2", "RUNNING", up)), "taken")
		w.want("never back", w.statuses(), "t1:RUNNING t2:STOPPED t3:PROVISIONING")
	})
}

func TestReportsOfStrangers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		a := w.connect("i1")
		a.ack()
		stranger := acs.SubmitTaskStateChangeRequest{Task: "arn:aws:ecs:us-east-1:999999999999:task/c/t1", Status: "STOPPED"}
		w.want("a task that is not there, another account's, and one that is", a.say("m1", report("t9", "RUNNING"), stranger, report("t1", "STOPPED")),
			"taken but arn:aws:ecs:us-east-1:000000000000:task/c/t9 but arn:aws:ecs:us-east-1:999999999999:task/c/t1")
		w.want("the one is over", w.statuses(), "t1:STOPPED")
	})
}

// On a full disk nothing is taken: the agent is told so, says it again, and loses nothing.
func TestReportsOnAFullDisk(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		a := w.connect("i1")
		a.ack()
		w.disk.full.Store(true)
		got := a.say("m1", report("t1", "STOPPED"))
		if !strings.HasPrefix(got, "taken") || !strings.Contains(got, state.ErrNoSpace.Error()) {
			t.Errorf("answered %q", got)
		}
		w.want("nothing has changed", w.statuses(), "t1:PENDING")
		w.disk.full.Store(false)
		w.want("said again", a.say("m2", report("t1", "STOPPED")), "taken")
		w.want("it is over", w.statuses(), "t1:STOPPED")
	})
}
