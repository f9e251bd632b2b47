package agent

import (
	"context"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
)

// publishInterval is how often the agent says how its runtime does (AGENT-PROTOCOL §1.3).
const publishInterval = 20 * time.Second

// telemetry keeps the TCS connection until ctx ends. Losing it costs health and metrics, never tasks.
func (l *link) telemetry(ctx context.Context, endpoint string, id identity) {
	if endpoint == "" {
		return
	}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		err := l.telemetryOnce(ctx, endpoint, id)
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

func (l *link) telemetryOnce(ctx context.Context, endpoint string, id identity) error {
	conn, err := l.dial(ctx, endpoint, "tcs/ws", url.Values{
		"agentHash": {"roadstead"}, "agentVersion": {Version}, "cluster": {id.Cluster}, "containerInstance": {id.Arn},
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
	tick := time.NewTicker(publishInterval)
	defer tick.Stop()
	for {
		if err := l.publish(ctx, conn, id); err != nil {
			cancel()
			<-ended
			return err
		}
		select {
		case <-tick.C:
		case err := <-ended:
			return err
		}
	}
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
