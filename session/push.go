package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// payloadTasks bounds the tasks of one payload, and ackTimeout the wait for its acknowledgement before the tasks are
// sent again.
const (
	payloadTasks = 500
	ackTimeout   = 30 * time.Second
)

// push sends what the agent has not acknowledged yet, one payload at a time: what changes meanwhile goes together in
// the next.
func (x *session) push(ctx context.Context) error {
	if len(x.flying) > 0 {
		return nil
	}
	if i, ok := x.s.cfg.DB.Snapshot().Instances.Get(x.key); !ok || i.Status == model.InstanceInactive {
		return errDeregistered
	}
	tasks := x.collect(ctx)
	if len(tasks) == 0 {
		return nil
	}
	x.seq++
	x.flyingID, x.overdueAt = x.s.cfg.NewID(), time.Now().Add(ackTimeout)
	frame, err := acs.EncodePayload(acs.PayloadMessage{
		MessageID: x.flyingID, ClusterArn: model.ClusterARN(x.inst.Scope, x.inst.Cluster), ContainerInstanceArn: x.inst.ARN(),
		GeneratedAt: time.Now().UnixMilli(), SeqNum: x.seq,
	}, tasks)
	if err != nil {
		return err
	}
	return x.conn.SendFrame(ctx, frame)
}

// again puts the tasks of a payload that was not acknowledged in time back on the list.
func (x *session) again() {
	for key := range x.flying {
		x.todo.add(key)
	}
	clear(x.flying)
	x.overdueAt = time.Time{}
}

// collect renders and encodes the tasks to be sent now and notes them as flying; what does not fit stays on the list. It reads the
// rows after it has taken their keys: a key is noted when its row is there, and an older snapshot may not have it yet.
func (x *session) collect(ctx context.Context) [][]byte {
	if x.todo.takeAll() {
		for t := range x.s.cfg.DB.Snapshot().TasksOn(x.key) {
			x.todo.add(t.Key())
		}
	}
	keys := x.todo.take(payloadTasks)
	snap := x.s.cfg.DB.Snapshot()
	var tasks [][]byte
	for _, key := range keys {
		t, ok := snap.Tasks.Get(key)
		if !ok || t.Last == model.TaskStopped || t.InstanceKey() != x.key || x.acked[key] == t.Desired {
			continue
		}
		p, roles, err := x.s.render(snap.Tables, t)
		if err != nil {
			x.s.fail(ctx, t, err)
			continue
		}
		tasks = append(tasks, p)
		x.flying[key] = t.Desired
		x.noteRoles(key, roles)
	}
	x.waitForRoles()
	return tasks
}

// fail stops a task that no node can be told to run: its definition is gone, or asks for what a payload cannot carry.
func (s *Sessions) fail(ctx context.Context, t *model.Task, why error) {
	s.cfg.Log.Error("render a task", "task", t.ID, "err", why)
	err := s.cfg.DB.Update(ctx, func(tx *state.Tx) error {
		now, ok := tx.Tasks.Get(t.Key())
		if !ok {
			return nil
		}
		report := model.Report{Status: model.TaskStopped, Reason: "ResourceInitializationError: " + why.Error()}
		if u, ok := errors.AsType[*unassumable](why); ok {
			report.Reason = u.Error()
		}
		if next, changed := now.Observe(report, time.Now().UnixMilli()); changed {
			tx.Tasks.Put(&next)
		}
		return nil
	})
	if err != nil { // it stays PENDING, and is tried again with the next connection
		s.cfg.Log.Error("stop a task that cannot be rendered", "task", t.ID, "err", err)
	}
}

// handleAck notes what the agent has safe, and has its tasks moved on. The next payload does not wait for that: it is only said to others.
func (x *session) handleAck(id string) {
	if id != x.flyingID || len(x.flying) == 0 {
		return
	}
	maps.Copy(x.acked, x.flying)
	x.s.notes.add(note{at: time.Now().UnixMilli(), acked: x.flying, done: func(_ []string, err error) {
		switch {
		case errors.Is(err, state.ErrNotLeader):
			x.todo.end(errNotLeading)
		case err != nil:
			x.todo.end(fmt.Errorf("note an acknowledgement: %w", err))
		}
	}})
	x.flying, x.overdueAt = map[string]string{}, time.Time{}
	x.forget()
}

// forget drops what was acknowledged for tasks that are over, when there is twice as much as it left the last time.
func (x *session) forget() {
	if len(x.acked) < x.muchAcked {
		return
	}
	snap := x.s.cfg.DB.Snapshot()
	for key := range x.acked {
		if t, ok := snap.Tasks.Get(key); !ok || t.Last == model.TaskStopped {
			delete(x.acked, key)
		}
	}
	x.muchAcked = 2*len(x.acked) + payloadTasks
}
