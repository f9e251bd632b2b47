package fleet

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
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

// telemetryOnce says every publishInterval that the container runtime is well, at once what health checks say, and reads what
// comes meanwhile.
func (n *Node) telemetryOnce(ctx context.Context, endpoint, arn string) error {
	s, err := n.upgrade(ctx, endpoint, "ws", url.Values{
		"agentHash": {model.OwnAgent}, "agentVersion": {"1.0.0"}, "cluster": {n.cfg.Cluster}, "containerInstance": {arn},
	})
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	defer context.AfterFunc(ctx, s.cut)()
	wg.Go(func() {
		var err error
		for err == nil {
			_, err = s.receive(time.Now().Add(silenceLimit))
		}
		cancel(err)
	})
	told, tick := map[string]string{}, time.NewTicker(publishInterval)
	defer tick.Stop()
	meta := acs.TCSMetadata{Cluster: n.cfg.Cluster, ContainerInstance: arn, RequestID: n.machine.Name}
	well := acs.PublishInstanceStatusRequest{Metadata: meta, Statuses: []acs.InstanceStatus{{Type: "ContainerRuntime", Status: "OK"}}}
	for err = s.send(well); err == nil; {
		if news := n.healths(told); len(news) > 0 {
			if err = s.send(acs.PublishHealthRequest{Metadata: meta, Tasks: news}); err != nil {
				return err
			}
		}
		select {
		case <-n.pulse:
		case <-tick.C:
			err = s.send(well)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}
