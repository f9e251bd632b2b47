package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/session"
)

// reading is a ReadLogs under way.
type reading struct {
	logs *acs.RoadsteadLogs
	err  error
}

func (w *world) readLogs(id string) <-chan reading {
	out := make(chan reading, 1)
	task := w.task(id)
	go func() {
		logs, err := w.sessions.ReadLogs(w.Context(), task, acs.RoadsteadReadLogs{Container: "app", Limit: 10, Offset: -5})
		out <- reading{logs, err}
	}()
	synctest.Wait()
	return out
}

func TestReadLogs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		if r := <-w.readLogs("t1"); !errors.Is(r.err, session.ErrNotConnected) {
			w.Errorf("without an agent: %v", r.err)
		}
		a := w.connect("i1")
		first, second := w.readLogs("t1"), w.readLogs("t1")
		q := a.last.(*acs.RoadsteadReadLogs)
		if q.TaskArn != w.task("t1").ARN() || q.Container != "app" || q.Limit != 10 || q.Offset != -5 {
			w.Errorf("the agent is asked %+v", q)
		}
		a.send(acs.RoadsteadLogs{MessageID: "nobody's"})
		a.send(acs.RoadsteadLogs{MessageID: q.MessageID, Records: []acs.LogRecord{{Log: "hello"}}, Offset: 7})
		r := <-second
		if r.err != nil || len(r.logs.Records) != 1 || r.logs.Offset != 7 {
			w.Errorf("got %+v, %v", r.logs, r.err)
		}
		third := w.readLogs("t1")
		a.send(acs.RoadsteadLogs{MessageID: a.last.(*acs.RoadsteadReadLogs).MessageID, Error: "no such container"})
		if r := <-third; model.ErrorCode(r.err) != "InvalidParameterException" || !strings.HasSuffix(r.err.Error(), "no such container") {
			w.Errorf("the agent's error: %v", r.err)
		}
		a.leave()
		if r := <-first; !errors.Is(r.err, session.ErrNotConnected) {
			w.Errorf("the agent left before it answered: %v", r.err)
		}
	})
}

func TestReadLogsEndsWithItsCaller(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		w.connect("i1")
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Second)
		defer cancel()
		if _, err := w.sessions.ReadLogs(ctx, w.task("t1"), acs.RoadsteadReadLogs{}); !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("of an agent that does not answer: %v", err)
		}
	})
}

func (w *world) reset() <-chan int {
	out := make(chan int, 1)
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	go func() { defer cancel(); out <- w.sessions.Reset(ctx) }()
	synctest.Wait()
	return out
}

func TestReset(t *testing.T) {
	inWorld(t, func(w *world) {
		w.want("agents, when there are none", <-w.reset(), 0)
		a, b := w.connect("i1"), w.connect("i2")
		n := w.reset()
		a.send(acs.RoadsteadResetDone{MessageID: a.last.(*acs.RoadsteadReset).MessageID})
		select {
		case <-n:
			w.Error("Reset does not wait for the second agent")
		default:
		}
		b.send(acs.RoadsteadResetDone{MessageID: b.last.(*acs.RoadsteadReset).MessageID})
		w.want("agents", <-n, 2)
	})
}

func TestResetDoesNotWaitForAgentsThatLeave(t *testing.T) {
	inWorld(t, func(w *world) {
		began := time.Now()
		a := w.connect("i1")
		n := w.reset()
		a.leave()
		w.want("agents", <-n, 1)
		if waited := time.Since(began); waited > 10*time.Second {
			w.Errorf("waited %s for an agent that left", waited)
		}
		w.connect("i2") // says nothing
		began = time.Now()
		<-w.reset()
		w.want("waited for an agent that says nothing", time.Since(began), time.Minute)
	})
}

func TestDisconnect(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("i1"), w.connect("i2")
		w.want("connected", w.sessions.Connected(), 2)
		w.sessions.Disconnect()
		w.want("connections left", a.connected() || b.connected(), false)
		w.want("connected", w.sessions.Connected(), 0)
		w.connect("i1")
		w.want("connected, after coming back", w.sessions.Connected(), 1)
	})
}

// An agent is told of sessions with commands in its containers, answers, and has its records noted once they are kept.
func TestExec(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		w.run("i2", "t2")
		if err := w.sessions.OpenExec(w.Context(), w.task("t1"), acs.RoadsteadOpenExec{}); !errors.Is(err, session.ErrNotConnected) {
			w.Errorf("without an agent: %v", err)
		}
		a := w.connect("i1")
		done := make(chan error, 1)
		go func() {
			done <- w.sessions.OpenExec(w.Context(), w.task("t1"), acs.RoadsteadOpenExec{SessionID: "s1", Command: []string{"sh"}})
		}()
		synctest.Wait()
		q := a.last.(*acs.RoadsteadOpenExec)
		if q.SessionID != "s1" || q.TaskArn != w.task("t1").ARN() || len(q.Command) != 1 {
			w.Errorf("the agent is told %+v", q)
		}
		a.send(acs.RoadsteadExecOpened{MessageID: q.MessageID})
		if err := <-done; err != nil {
			w.Error(err)
		}
		go func() { done <- w.sessions.AttachExec(w.Context(), w.task("t1"), "s1") }()
		synctest.Wait()
		a.send(acs.RoadsteadExecOpened{MessageID: a.last.(*acs.RoadsteadAttachExec).MessageID, Error: "the session is over"})
		if err := <-done; err == nil || err.Error() != "the session is over" {
			w.Errorf("the agent's refusal: %v", err)
		}
		if err := w.sessions.EndExec(w.Context(), w.task("t1"), "s1"); err != nil {
			w.Error(err)
		}
		synctest.Wait()
		if m, ok := a.last.(*acs.RoadsteadEndExec); !ok || m.SessionID != "s1" {
			w.Errorf("the agent is told %+v", a.last)
		}
		for _, task := range []string{"t1", "t2"} { // t2 is not the agent's to speak of, but it need not say so again
			a.send(acs.RoadsteadExecEnded{SessionID: "of " + task, TaskArn: w.task(task).ARN()})
			if m, ok := a.last.(*acs.RoadsteadExecNoted); !ok || m.SessionID != "of "+task {
				w.Errorf("the agent is told %+v", a.last)
			}
		}
		if len(w.records) != 1 || w.records[0] != "of t1" {
			w.Errorf("records %q", w.records)
		}
	})
}
