package session

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
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
	s.invite(w, r, func(l *line) guest { return &telemetry{s: s, inst: i, conn: l} })
}

// telemetry is one agent's TCS connection. Where nothing else is sent it sends heartbeats, without which the agent gives the connection up.
type telemetry struct {
	s      *Sessions
	inst   *model.Instance
	conn   *line
	within func() context.Context // of the connection
	cancel context.CancelFunc
	said   atomic.Int64 // when something was acknowledged last, in nanoseconds since s began
	beat   *pulse
}

func (x *telemetry) open(ctx context.Context) error {
	ctx, x.cancel = context.WithCancel(ctx)
	x.within = func() context.Context { return ctx }
	x.beat = newPulse(x.s.untilBeat, func() {
		if time.Since(x.s.began)-time.Duration(x.said.Load()) < acs.HeartbeatInterval {
			return
		}
		if x.conn.Send(x.within(), acs.HeartbeatMessage{MessageID: x.s.cfg.NewID(), Healthy: true}) != nil {
			x.conn.stop()
		}
	})
	return nil
}

func (x *telemetry) hear() error {
	return x.conn.receive(func(frame []byte) error {
		ack, err := x.s.telemetry(x.within(), x.inst, frame)
		if ack == nil || err != nil {
			return err
		}
		x.said.Store(int64(time.Since(x.s.began)))
		return x.conn.Send(x.within(), ack)
	})
}

func (x *telemetry) close(error) {
	x.cancel()
	x.s.usages.putPulls(x.inst.Key(), nil)
	x.beat.stop()
	x.conn.end("")
}

// telemetry takes one message, and returns the acknowledgement, if there is one to it.
func (s *Sessions) telemetry(ctx context.Context, i *model.Instance, frame []byte) (ack any, err error) {
	msg, err := acs.Decode(frame)
	if err != nil {
		s.misread(i, err)
		return nil, nil
	}
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
	return ack, err
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
		if now, ok := s.cfg.DB.Snapshot().Instances.Get(i.Key()); !ok || now.RuntimeStatus == st.Status { // agents say it again and again
			return nil
		}
		return s.setConnected(ctx, i.Key(), func(next *model.Instance) {
			if next.RuntimeStatus != st.Status {
				next.RuntimeStatus, next.RuntimeStatusAt = st.Status, time.Now().UnixMilli()
			}
		})
	}
	return nil
}
