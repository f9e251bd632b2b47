package fleet

import (
	"context"
	"errors"
	"net/url"
	"os"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// telemetry keeps the TCS connection until ctx ends.
func (n *Node) telemetry(ctx context.Context, endpoint, arn string) {
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, time.Minute) {
		_ = n.telemetryOnce(ctx, endpoint, arn)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// telemetryOnce says every publishInterval that the container runtime is well, and reads what comes meanwhile.
func (n *Node) telemetryOnce(ctx context.Context, endpoint, arn string) error {
	s, err := n.upgrade(ctx, endpoint, "tcs/ws", url.Values{
		"agentHash": {"fleet"}, "agentVersion": {"1.0.0"}, "cluster": {n.cfg.Cluster}, "containerInstance": {arn},
	})
	if err != nil {
		return err
	}
	defer s.close()
	defer context.AfterFunc(ctx, s.cut)()
	for heard := time.Now(); ; {
		err := s.send(acs.PublishInstanceStatusRequest{
			Metadata: acs.TCSMetadata{Cluster: n.cfg.Cluster, ContainerInstance: arn, RequestID: n.machine.Name},
			Statuses: []acs.InstanceStatus{{Type: "ContainerRuntime", Status: "OK"}},
		})
		for next := time.Now().Add(publishInterval); err == nil; {
			if _, err = s.receive(next); err == nil {
				heard = time.Now()
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(heard) > silenceLimit {
			return err
		}
	}
}
