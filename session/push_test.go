package session_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

func TestFullListThenIncrements(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2")
		w.run("i2", "t3") // somebody else's
		a := w.connect("i1")
		a.wants("at first, everything", "manifest t1:RUNNING t2:RUNNING, payload t1:RUNNING t2:RUNNING")
		w.want("nothing is acknowledged", w.statuses(), "t1:PROVISIONING t2:PROVISIONING t3:PROVISIONING")
		a.ack()
		w.want("acknowledged", w.statuses(), "t1:PENDING t2:PENDING t3:PROVISIONING")
		w.run("i1", "t4")
		a.wants("then only what is new", "payload t4:RUNNING")
		a.ack()
		w.change("t4", func(t *model.Task) { t.Health = "HEALTHY"; t.Version++ })
		a.wants("other changes are not the agent's concern", "")
	})
}

func TestOnePayloadAtATime(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		w.run("i1", "t1")
		a.wants("the first", "manifest, payload t1:RUNNING")
		w.run("i1", "t2")
		w.run("i1", "t3")
		w.stop("t1")
		a.wants("others wait for its ack", "")
		a.ack()
		a.wants("and go together, the stop too", "payload t2:RUNNING t3:RUNNING t1:STOPPED")
		w.want("the ack was for the start, which is not wanted any more", w.statuses(), "t1:PROVISIONING t2:PROVISIONING t3:PROVISIONING")
		a.ack()
		w.want("stop and starts are delivered", w.statuses(), "t1:STOPPING t2:PENDING t3:PENDING")
	})
}

func TestUnacknowledgedPayloadIsSentAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		w.run("i1", "t1", "t2")
		a.wants("the first time", "manifest, payload t1:RUNNING t2:RUNNING")
		time.Sleep(29 * time.Second)
		a.wants("for 30 seconds", "beat")
		w.change("t1", func(t *model.Task) { t.Last = model.TaskStopped })
		w.stop("t2")
		w.run("i1", "t3")
		time.Sleep(time.Second)
		got := a.heard()
		if !strings.HasPrefix(got, "payload") || !strings.Contains(got, "t2:STOPPED") || !strings.Contains(got, "t3:RUNNING") || strings.Contains(got, "t1") {
			w.Errorf("after 30 s, as it is now: got %q", got)
		}
		a.mu.Lock()
		first := a.payloads[0]
		a.mu.Unlock()
		a.send(acs.AckRequest{MessageID: first})
		w.want("a late ack of the first says nothing of the second", w.statuses(), "t1:STOPPED t2:PROVISIONING t3:PROVISIONING")
		a.ack()
		w.want("delivered", w.statuses(), "t1:STOPPED t2:STOPPING t3:PENDING")
		a.ack()
		time.Sleep(time.Minute)
		a.wants("and no more", "beat, beat, beat")
	})
}

// SEMANTICS §2.5: a stop reaches the node however the start fared.
func TestStops(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(w *world, a *agent)
		heard  string
	}{
		{"before the start was sent", func(w *world, a *agent) { w.run("i1", "t0"); synctest.Wait(); w.run("i1", "t1"); w.stop("t1"); a.ack() }, "payload t0:RUNNING, payload t1:STOPPED"},
		{"while the start is flying", func(w *world, a *agent) { w.run("i1", "t1"); synctest.Wait(); w.stop("t1"); a.ack() }, "payload t1:RUNNING, payload t1:STOPPED"},
		{"after the start was acknowledged", func(w *world, a *agent) { w.run("i1", "t1"); a.ack(); w.stop("t1") }, "payload t1:RUNNING, payload t1:STOPPED"},
		{"of a task that is over", func(w *world, a *agent) {
			w.run("i1", "t1")
			a.ack()
			w.change("t1", func(t *model.Task) {
				*t, _ = t.Observe(model.Report{Status: "STOPPED"}, 1)
				*t, _ = t.Stop("x", "x", 2)
			})
		}, "payload t1:RUNNING"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.connect("i1")
				a.heard()
				c.script(w, a)
				a.wants(c.name, c.heard)
			})
		})
	}
}

func TestReconnectReplacesTheSessionAndResends(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2", "t3")
		old := w.connect("i1")
		old.ack()
		w.change("t1", func(t *model.Task) { t.Last = model.TaskStopped })
		w.change("t2", func(t *model.Task) { t.Last = model.TaskRunning })
		next := w.connect("i1")
		next.wants("everything that is not STOPPED", "manifest t2:RUNNING t3:RUNNING, payload t2:RUNNING t3:RUNNING")
		if old.connected() {
			w.Error("the old connection is still there")
		}
		w.want("connected agents", w.sessions.Connected(), 1)
		next.ack()
		w.run("i1", "t4")
		next.wants("the new connection works", "payload t4:RUNNING")
		time.Sleep(2 * time.Minute)
		w.want("the end of the old session is not the agent's", w.instance("i1").AgentConnected, true)
	})
}

func TestPayloadsAreBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		var ids []string
		for n := range 1100 {
			ids = append(ids, fmt.Sprintf("t%04d", n))
		}
		w.run("i1", ids...)
		a := w.connect("i1")
		for _, want := range []int{500, 500, 100} {
			got := a.heard()
			if n := strings.Count(got[strings.LastIndex(got, "payload"):], ":RUNNING"); n != want {
				w.Errorf("a payload of %d tasks, want %d", n, want)
			}
			a.ack()
		}
		a.wants("no more", "")
	})
}

// A task whose definition is gone cannot be sent: it ends with the reason, and does not hold up the others.
func TestUnrenderableTaskEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2")
		w.change("t1", func(t *model.Task) { t.Definition = "gone:1" })
		a := w.connect("i1")
		a.wants("the other", "manifest t1:RUNNING t2:RUNNING, payload t2:RUNNING")
		a.ack()
		w.want("it has failed to start", w.task("t1").StopCode, model.StopTaskFailedToStart)
	})
}

func TestDeregisteredInstanceIsSentAway(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		w.update(func(tx *state.Tx) {
			i := *w.instance("i1")
			i.Status, i.AgentConnected = model.InstanceInactive, false
			tx.Instances.Put(&i)
		})
		if a.connected() {
			w.Error("the agent of a deregistered instance is still connected")
		}
		if !strings.Contains(a.gone.Error(), "ConnectionExpired: Reconnect to continue") { // the stock agent comes back at once after this
			w.Errorf("it was sent away with %v", a.gone)
		}
		time.Sleep(2 * time.Minute)
		w.want("it stays disconnected", w.instance("i1").AgentConnected, false)
	})
}

// AGENT-PROTOCOL §1.2: only tasks that really must not run are confirmed, and only those of the newest manifest.
func TestStopVerification(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "runs", "stops", "over")
		w.run("i2", "elsewhere")
		w.stop("stops")
		w.change("over", func(t *model.Task) { t.Last, t.Desired = model.TaskStopped, model.TaskStopped })
		a := w.connect("i1")
		a.wants("the list", "manifest runs:RUNNING stops:STOPPED, payload runs:RUNNING stops:STOPPED")
		q := acs.TaskStopVerificationMessage{MessageID: a.manifest}
		for _, id := range []string{"runs", "stops", "over", "elsewhere", "unknown"} {
			q.StopCandidates = append(q.StopCandidates, acs.ManifestTask{TaskArn: model.TaskARN(scope, "c", id), DesiredStatus: "RUNNING"})
		}
		a.send(q)
		a.wants("confirmed", "verified stops:STOPPED over:STOPPED elsewhere:STOPPED unknown:STOPPED")
		q.MessageID = "another"
		a.send(q)
		a.wants("an old manifest's candidates", "")
	})
}

// SEMANTICS §8.9 [O]: tasks that were declared lost stay STOPPED when their agent comes back, whatever it says of them; it
// is told to stop those that it still runs, and gets no payload for them.
func TestAgentThatComesBackStopsItsLostTasks(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "runs", "lost")
		a := w.connect("i1")
		a.ackSome()
		a.leave()
		time.Sleep(2 * time.Minute)
		w.change("lost", func(t *model.Task) { *t, _ = t.Lose("Host EC2 (instance i-1) terminated.", time.Now().UnixMilli()) })
		a = w.connect("i1")
		a.wants("the list", "manifest runs:RUNNING, payload runs:RUNNING")
		a.send(acs.TaskStopVerificationMessage{MessageID: a.manifest, StopCandidates: []acs.ManifestTask{
			{TaskArn: model.TaskARN(scope, "c", "lost"), DesiredStatus: "RUNNING"}}})
		a.wants("confirmed", "verified lost:STOPPED")
		late, changed := w.task("lost").Observe(model.Report{Status: model.TaskRunning}, 1)
		w.want("a late report", fmt.Sprint(late.Last, changed), "STOPPEDfalse")
	})
}

// Tasks that are placed while others are being pushed are not overlooked, however the two run into each other.
func TestNoTaskIsOverlookedInAStorm(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.connect("i1")
		const writers, each = 8, 150
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() {
				for m := range each {
					w.run("i1", fmt.Sprint("t", n, "-", m))
				}
			})
		}
		for last := time.Now(); time.Since(last) < time.Second; { // until the agent has heard nothing for a second
			if a.ackSome() {
				last = time.Now()
			} else {
				time.Sleep(time.Millisecond)
			}
		}
		wg.Wait()
		if n := strings.Count(w.statuses(), model.TaskProvisioning); n > 0 {
			w.Errorf("%d of %d tasks were never delivered", n, writers*each)
		}
	})
}
