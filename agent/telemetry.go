package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

const (
	// publishInterval is how often the agent says how its runtime and all containers do (AGENT-PROTOCOL §1.3).
	publishInterval = 20 * time.Second
	// pullsInterval is how often it says how far images are that are being fetched.
	pullsInterval = 2 * time.Second
	// healthBatch is how many tasks' health goes into one message.
	healthBatch = 100
)

// telemetry keeps the TCS connection of an engine until ctx ends. Losing it costs health and metrics, never tasks.
func (l *link) telemetry(ctx context.Context, engine *task.Engine, endpoint string, id identity) {
	if endpoint == "" {
		return
	}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		err := l.telemetryOnce(ctx, engine, endpoint, id)
		if ctx.Err() != nil {
			return
		}
		l.log.Warn("telemetry ended", "err", err, "retry", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (l *link) telemetryOnce(ctx context.Context, engine *task.Engine, endpoint string, id identity) error {
	conn, err := l.dial(ctx, endpoint, "ws", url.Values{
		"agentHash": {model.OwnAgent}, "agentVersion": {Version}, "cluster": {id.Cluster}, "containerInstance": {id.Arn},
	})
	if err != nil {
		return err
	}
	defer conn.Close("agent leaves")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Receive(ctx); err != nil {
				ended <- err
				return
			}
		}
	}()
	err = l.publishAll(ctx, conn, engine, id, ended)
	cancel()
	<-ended
	return err
}

// publishAll says everything now and then, and the health of containers also when it changes, until the connection ends.
func (l *link) publishAll(ctx context.Context, conn *acs.Conn, engine *task.Engine, id identity, ended chan error) error {
	tick := time.NewTicker(publishInterval)
	defer tick.Stop()
	look := time.NewTicker(pullsInterval)
	defer look.Stop()
	pulling := false            // was said last
	told := map[string]string{} // health by task, on this connection
	if err := errors.Join(l.publish(ctx, conn, id), l.publishMetrics(ctx, conn, id), l.publishHealth(ctx, conn, id, engine.Health(), told)); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-engine.HealthChanged():
			err = l.publishHealth(ctx, conn, id, engine.Health(), told)
		case <-look.C:
			if pulls := l.agent.pulls(ctx); pulling || len(pulls) > 0 {
				pulling, err = len(pulls) > 0, conn.Send(ctx, acs.RoadsteadPulls{Pulls: pulls})
			}
		case <-tick.C:
			clear(told)
			err = errors.Join(l.publish(ctx, conn, id), l.publishMetrics(ctx, conn, id), l.publishHealth(ctx, conn, id, engine.Health(), told))
		case err = <-ended:
			ended <- err // for telemetryOnce, which waits for it
		}
		if err != nil {
			return err
		}
	}
}

// publishHealth says the health of the tasks of which something else, or nothing, was told.
func (l *link) publishHealth(ctx context.Context, conn *acs.Conn, id identity, all []task.TaskHealth, told map[string]string) error {
	news := []acs.TaskHealth{}
	for _, t := range all {
		now := fmt.Sprint(t.Containers)
		if told[t.TaskArn] == now {
			continue
		}
		told[t.TaskArn] = now
		out := acs.TaskHealth{TaskArn: t.TaskArn}
		for _, c := range t.Containers {
			out.Containers = append(out.Containers, acs.ContainerHealth{ContainerName: c.Name, HealthStatus: c.Health})
		}
		news = append(news, out)
	}
	for batch := range slices.Chunk(news, healthBatch) {
		err := conn.Send(ctx, acs.PublishHealthRequest{
			Metadata: acs.TCSMetadata{Cluster: id.Cluster, ContainerInstance: id.Arn, MessageID: uuid.NewString()}, Tasks: batch,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// publishMetrics says what the tasks have used since it last did, a few tasks a message.
func (l *link) publishMetrics(ctx context.Context, conn *acs.Conn, id identity) error {
	for _, m := range metricMessages(l.agent.stats.Take()) {
		m.Metadata.Cluster, m.Metadata.ContainerInstance, m.Metadata.MessageID = id.Cluster, id.Arn, uuid.NewString()
		m.Timestamp = float64(time.Now().UnixMilli()) / 1000
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// metricMessages are the messages of one round: full ones, the last of which says so, or one that says that the node is idle
// (AGENT-PROTOCOL §1.3).
func metricMessages(all []acs.TaskMetrics) []acs.PublishMetricsRequest {
	if len(all) == 0 {
		return []acs.PublishMetricsRequest{{Metadata: acs.TCSMetadata{Idle: true, Fin: true}, TaskMetrics: all}}
	}
	var out []acs.PublishMetricsRequest
	for batch := range slices.Chunk(all, acs.MaxMetricTasks) {
		out = append(out, acs.PublishMetricsRequest{TaskMetrics: batch})
	}
	out[len(out)-1].Metadata.Fin = true
	return out
}

// publish says whether the container runtime answers.
func (l *link) publish(ctx context.Context, conn *acs.Conn, id identity) error {
	status := acs.InstanceStatus{Type: "ContainerRuntime", Status: "OK"}
	probe, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := l.agent.runtime.Ready(probe); err != nil {
		status.Status, status.Reason = "IMPAIRED", err.Error()
	}
	return conn.Send(ctx, acs.PublishInstanceStatusRequest{
		Metadata: acs.TCSMetadata{Cluster: id.Cluster, ContainerInstance: id.Arn, RequestID: uuid.NewString()},
		Statuses: []acs.InstanceStatus{status},
	})
}
