package session

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ServeTCS takes the telemetry connection of an agent, whose principal is in the request's context.
func (s *Sessions) ServeTCS(w http.ResponseWriter, r *http.Request) {
	i, refusal := s.instance(r, r.URL.Query().Get("containerInstance"))
	if refusal != nil {
		refuse(w, refusal)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	conn := acs.NewConn(ws)
	done := make(chan struct{})
	go func() { defer close(done); defer cancel(); s.beat(ctx, conn) }()
	for {
		msg, err := conn.Receive(ctx)
		if err != nil {
			break
		}
		answer, err := s.telemetry(ctx, i, msg)
		if err != nil || answer != nil && conn.Send(ctx, answer) != nil {
			break
		}
	}
	cancel()
	<-done
	_ = conn.Close("")
}

// beat sends heartbeats, without which the agent gives the connection up.
func (s *Sessions) beat(ctx context.Context, conn *acs.Conn) {
	t := time.NewTicker(acs.HeartbeatInterval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if conn.Send(ctx, acs.HeartbeatMessage{MessageID: s.cfg.NewID(), Healthy: true}) != nil {
				return
			}
		case <-s.closing:
			return
		case <-ctx.Done():
			return
		}
	}
}

// telemetry takes one message and returns its acknowledgement, nil if it needs none.
func (s *Sessions) telemetry(ctx context.Context, i *model.Instance, msg any) (any, error) {
	switch m := msg.(type) {
	case *acs.PublishMetricsRequest:
		return acs.AckPublishMetric{}, nil
	case *acs.PublishHealthRequest:
		return acs.AckPublishHealth{}, s.health(ctx, i, m)
	case *acs.PublishInstanceStatusRequest:
		return acs.AckPublishInstanceStatus{}, s.instanceStatus(ctx, i, m)
	}
	return nil, nil
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
