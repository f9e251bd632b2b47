package session

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ServeTCS takes the telemetry connection of an agent, whose principal is in the request's context, for Run to serve it.
func (s *Sessions) ServeTCS(w http.ResponseWriter, r *http.Request) {
	i, refusal := s.instance(r, r.URL.Query().Get("containerInstance"))
	if refusal != nil {
		refuse(w, refusal)
		return
	}
	s.invite(w, r, func(ctx context.Context, conn *acs.Conn) { s.serveTelemetry(ctx, i, conn) })
}

// serveTelemetry serves the connection until one of the two ends it. It sends heartbeats, without which the agent gives the
// connection up.
func (s *Sessions) serveTelemetry(ctx context.Context, i *model.Instance, conn *acs.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	beat := newPulse(acs.HeartbeatInterval, func() {
		if conn.Send(ctx, acs.HeartbeatMessage{MessageID: s.cfg.NewID(), Healthy: true}) != nil {
			cancel()
		}
	})
	for {
		frame, err := conn.ReceiveFrame(ctx)
		if err != nil || s.stacks.run(func() error { return s.telemetry(ctx, i, conn, frame) }) != nil {
			break
		}
	}
	cancel()
	s.usages.putPulls(i.Key(), nil)
	beat.stop()
	_ = conn.Close("")
}

// telemetry takes one message and acknowledges it.
func (s *Sessions) telemetry(ctx context.Context, i *model.Instance, conn *acs.Conn, frame []byte) error {
	msg, err := acs.Decode(frame)
	if err != nil {
		s.misread(i, err)
		return nil
	}
	var ack any
	switch m := msg.(type) {
	case *acs.PublishMetricsRequest:
		ack = acs.AckPublishMetric{}
		s.metrics(i, m)
	case *acs.RoadsteadPulls:
		s.usages.putPulls(i.Key(), m.Pulls)
	case *acs.PublishHealthRequest:
		ack, err = acs.AckPublishHealth{}, s.health(ctx, i, m)
	case *acs.PublishInstanceStatusRequest:
		ack, err = acs.AckPublishInstanceStatus{}, s.instanceStatus(ctx, i, m)
	}
	if err == nil && ack != nil {
		err = conn.Send(ctx, ack)
	}
	return err
}

// misread notes a frame that says nothing to us. The connection goes on: an agent would come back at once, and say it again.
func (s *Sessions) misread(i *model.Instance, err error) {
	if !errors.Is(err, acs.ErrUnknownMessage) { // these are to be ignored
		s.cfg.Log.Warn("read what an agent says", "instance", i.ID, "cluster", i.Cluster, "err", err)
	}
}

// health notes the health of containers of tasks on the instance. Agents say it again and again: what is known costs no update.
func (s *Sessions) health(ctx context.Context, i *model.Instance, m *acs.PublishHealthRequest) error {
	now := time.Now().UnixMilli()
	if len(changedHealth(s.cfg.DB.Snapshot().Tables, i, m, now)) == 0 {
		return nil
	}
	return s.cfg.DB.Update(ctx, func(tx *state.Tx) error {
		for _, t := range changedHealth(tx.Tables, i, m, now) {
			tx.Tasks.Put(t)
		}
		return nil
	})
}

// changedHealth are the tasks of the instance of which the message says something new.
func changedHealth(t *state.Tables, i *model.Instance, m *acs.PublishHealthRequest, now model.Millis) []*model.Task {
	var out []*model.Task
	for _, th := range m.Tasks {
		row, ok := findTask(t, i.Account, th.TaskArn)
		if !ok || row.InstanceKey() != i.Key() {
			continue
		}
		states := map[string]string{}
		for _, c := range th.Containers {
			states[c.ContainerName] = c.HealthStatus
		}
		if next, changed := row.ObserveHealth(states, now); changed {
			out = append(out, &next)
		}
	}
	return out
}

func (s *Sessions) instanceStatus(ctx context.Context, i *model.Instance, m *acs.PublishInstanceStatusRequest) error {
	for _, st := range m.Statuses {
		if st.Type != "ContainerRuntime" {
			continue
		}
		return s.setConnected(ctx, i.Key(), func(next *model.Instance) {
			if next.RuntimeStatus != st.Status {
				next.RuntimeStatus, next.RuntimeStatusAt = st.Status, time.Now().UnixMilli()
			}
		})
	}
	return nil
}
