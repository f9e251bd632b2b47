package session_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// docs/decisions/047: what agents say while a transaction is under way shares the next one, and is one row for each task.
func TestNotesGather(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "t2")
		w.run("i2", "t3")
		one, two := w.connect("i1"), w.connect("i2")
		release := w.disk.hold()
		before := w.disk.commits.Load()
		one.ack()
		one.send(acs.RoadsteadReports{MessageID: "m1", Reports: []acs.SubmitTaskStateChangeRequest{report("t1", "RUNNING"), report("t2", "RUNNING")}})
		two.ack()
		two.send(acs.RoadsteadReports{MessageID: "m2", Reports: []acs.SubmitTaskStateChangeRequest{report("t3", "RUNNING")}})
		one.heard()
		two.heard()
		one.wants("nothing is answered before it is durable", "")
		two.wants("nothing of others either", "")
		w.want("nothing can be seen", w.statuses(), "t1:PROVISIONING t2:PROVISIONING t3:PROVISIONING")
		release()
		one.wants("answered", "RoadsteadReported")
		two.wants("answered", "RoadsteadReported")
		w.want("all of it is there", w.statuses(), "t1:RUNNING t2:RUNNING t3:RUNNING")
		w.want("transactions: the first ack, and all the rest", w.disk.commits.Load()-before, int64(2))
		w.want("t3 was acknowledged and reported in one row", w.task("t3").Version, int64(3))
	})
}

// The next payload does not wait until everybody can see that the one before was delivered.
func TestPayloadDoesNotWaitForNotes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		a := w.connect("i1")
		w.run("i1", "t2")
		a.wants("the first", "manifest t1:RUNNING, payload t1:RUNNING")
		release := w.disk.hold()
		a.ack()
		a.wants("the next", "payload t2:RUNNING")
		w.want("nothing is said yet", w.statuses(), "t1:PROVISIONING t2:PROVISIONING")
		release()
		synctest.Wait()
		w.want("then it is", w.statuses(), "t1:PENDING t2:PROVISIONING")
	})
}

// What cannot be written together is written in parts; what cannot be written at all is its own agent's trouble only.
func TestNotesThatDoNotFit(t *testing.T) {
	inWorld(t, func(w *world) {
		var agents []*agent
		for n := range 3 {
			id := fmt.Sprint("n", n)
			w.update(func(tx *state.Tx) {
				tx.Instances.Put(&model.Instance{Scope: scope, Cluster: "c", ID: id, Status: model.InstanceActive, Version: 1})
			})
			w.run(id, fmt.Sprint("a", n), fmt.Sprint("b", n))
			agents = append(agents, w.connect(id))
			agents[n].ack()
			agents[n].heard()
		}
		w.run("n2", "c2")
		agents[2].ack()
		agents[2].heard()
		release := w.disk.hold()
		agents[0].send(acs.RoadsteadReports{MessageID: "first", Reports: []acs.SubmitTaskStateChangeRequest{report("a0", "RUNNING")}})
		for n, a := range agents {
			m := acs.RoadsteadReports{MessageID: "m", Reports: []acs.SubmitTaskStateChangeRequest{report(fmt.Sprint("a", n), "STOPPED"), report(fmt.Sprint("b", n), "STOPPED")}}
			if n == 2 {
				m.Reports = append(m.Reports, report("c2", "STOPPED"))
			}
			a.send(m)
		}
		w.disk.tight.Store(2)
		release()
		synctest.Wait()
		w.want("two of three are taken", w.statuses(), "a0:STOPPED a1:STOPPED a2:PENDING b0:STOPPED b1:STOPPED b2:PENDING c2:PENDING")
		agents[2].heard()
		agents[2].mu.Lock()
		answer, ok := agents[2].last.(*acs.RoadsteadReported)
		agents[2].mu.Unlock()
		if !ok || answer.Error == "" {
			t.Errorf("the third was answered %+v", agents[2].last)
		}
	})
}

// An acknowledgement that cannot be noted ends the session: the agent comes again and is told everything again.
func TestAcknowledgementOnAFullDisk(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		a := w.connect("i1")
		w.disk.full.Store(true)
		a.ack()
		time.Sleep(time.Minute)
		if a.connected() {
			t.Error("the session goes on")
		}
		w.disk.full.Store(false)
		w.connect("i1").wants("everything again", "manifest t1:RUNNING, payload t1:RUNNING")
	})
}
