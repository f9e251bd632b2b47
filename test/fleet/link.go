package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// Times of the connection, as of our agent (AGENT-PROTOCOL §1.2).
const (
	silenceLimit    = 60 * time.Second
	firstBackoff    = 100 * time.Millisecond
	lastBackoff     = 10 * time.Second
	publishInterval = 20 * time.Second
)

var (
	errUnknownInstance = errors.New("the control plane does not know this instance")
	errReset           = errors.New("the node was reset")
)

// link registers and stays connected, again and again, until ctx ends.
func (n *Node) link(ctx context.Context) {
	wait := firstBackoff
	for ctx.Err() == nil {
		began := time.Now()
		err := n.once(ctx)
		if errors.Is(err, errUnknownInstance) {
			n.forgetIdentity()
		}
		if errors.Is(err, errReset) || errors.Is(err, errClosedNormally) || time.Since(began) > time.Minute {
			wait = firstBackoff
		}
		n.cfg.Log.Debug("connection ended", "node", n.machine.Name, "err", err, "retry", wait)
		select {
		case <-time.After(wait/2 + n.jitter(wait)):
		case <-ctx.Done():
		}
		wait = min(2*wait, lastBackoff)
	}
}

// jitter is a random time below d.
func (n *Node) jitter(d time.Duration) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Duration(n.rng.Int64N(int64(d)))
}

// forgetIdentity lets the next registration make a new instance; the tasks stay.
func (n *Node) forgetIdentity() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arn, n.token = "", n.draw()
}

// once registers, discovers the endpoints and serves one ACS and one TCS connection.
func (n *Node) once(ctx context.Context) error {
	arn, err := n.register(ctx)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	var poll acs.DiscoverPollEndpointResponse
	if err := n.api.Call(ctx, "ecs", "DiscoverPollEndpoint", map[string]string{"cluster": n.cfg.Cluster, "containerInstance": arn}, &poll); err != nil {
		return err
	}
	s, err := n.upgrade(ctx, poll.Endpoint, "ws", url.Values{
		"agentHash": {model.OwnAgent}, "agentVersion": {"1.0.0"}, "clusterArn": {n.cfg.Cluster}, "containerInstanceArn": {arn},
		"protocolVersion": {"2"}, "sendCredentials": {"true"}, "seqNum": {"1"},
	})
	if err != nil {
		return err
	}
	defer s.close()
	n.mu.Lock()
	n.count.Connections++
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, s.cut)()
	wg.Go(func() { n.telemetry(ctx, poll.TelemetryEndpoint, arn) })
	wg.Go(func() { n.tellReports(ctx, s) })
	return n.serve(ctx, s, arn)
}

// register announces the node, as the instance that it was before if there was one.
func (n *Node) register(ctx context.Context) (string, error) {
	n.mu.Lock()
	in := n.registration()
	n.mu.Unlock()
	var out acs.RegisterContainerInstanceResponse
	err := n.api.Call(ctx, "ecs", "RegisterContainerInstance", in, &out)
	if err != nil {
		switch model.ErrorCode(err) {
		case "InvalidParameterException", "ClientException", "ClusterNotFoundException":
			if in.ContainerInstanceArn != "" {
				n.forgetIdentity()
			}
		}
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count.Registrations++
	n.arn = out.ContainerInstance.ContainerInstanceArn
	return n.arn, nil
}

// registration is what the node says of itself. Caller holds mu.
func (n *Node) registration() acs.RegisterContainerInstanceRequest {
	m := &n.machine
	in := acs.RegisterContainerInstanceRequest{
		Cluster: n.cfg.Cluster, ClientToken: n.token, ContainerInstanceArn: n.arn, TotalResources: []acs.TotalResource{
			{Name: "CPU", Type: "INTEGER", IntegerValue: m.CPU}, {Name: "MEMORY", Type: "INTEGER", IntegerValue: m.Memory},
			{Name: "PORTS", Type: "STRINGSET", StringSetValue: []string{"22", "2375", "2376", "51678", "51679", "51680"}},
			{Name: "PORTS_UDP", Type: "STRINGSET", StringSetValue: []string{}},
		},
	}
	if len(m.GPUs) > 0 {
		in.TotalResources = append(in.TotalResources, acs.TotalResource{Name: "GPU", Type: "STRINGSET", StringSetValue: m.GPUs})
	}
	values := map[string]string{
		"ecs.os-type": "linux", "ecs.os-family": "LINUX", "ecs.cpu-architecture": "x86_64",
		"ecs.availability-zone": m.Zone, "roadstead.node": m.Name, model.SubnetAttribute: m.Subnet,
	}
	maps.Copy(values, m.Attributes)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if v := values[name]; v != "" {
			in.Attributes = append(in.Attributes, acs.Attribute{Name: name, Value: &v})
		}
	}
	for _, name := range []string{"com.amazonaws.ecs.capability.docker-remote-api.1.18", "com.amazonaws.ecs.capability.docker-remote-api.1.24", "ecs.capability.container-health-check", "ecs.capability.task-eni"} {
		in.Attributes = append(in.Attributes, acs.Attribute{Name: name})
	}
	return in
}

// upgrade opens a signed websocket to PATH under the endpoint.
func (n *Node) upgrade(ctx context.Context, endpoint, path string, q url.Values) (*socket, error) {
	r, err := n.api.SignedRequest(ctx, "ecs", strings.TrimSuffix(endpoint, "/")+"/"+path+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := n.dial(ctx, r.URL.Host)
	if err != nil {
		return nil, err
	}
	s, resp, err := openSocket(ctx, conn, r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return s, nil
	}
	defer conn.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	text := string(b)
	if strings.Contains(text, "InvalidInstanceException") || strings.Contains(text, "InactiveInstanceException") {
		return nil, fmt.Errorf("%w: %s", errUnknownInstance, text)
	}
	return nil, fmt.Errorf("upgrade: %s: %s", resp.Status, text)
}

// serve answers messages until the connection ends or is silent for too long.
func (n *Node) serve(ctx context.Context, s *socket, arn string) error {
	for {
		b, err := s.receive(time.Now().Add(silenceLimit + n.jitter(silenceLimit)))
		if err != nil {
			return err
		}
		msg, err := acs.Decode(b)
		if errors.Is(err, acs.ErrUnknownMessage) {
			continue
		}
		if err == nil {
			err = n.handle(ctx, s, arn, msg)
		}
		if err != nil {
			return err
		}
	}
}

func (n *Node) handle(ctx context.Context, s *socket, arn string, msg any) error {
	n.mu.Lock()
	mute, full := n.mute, n.full
	n.mu.Unlock()
	if mute {
		return nil
	}
	ack := func(id string) error {
		return s.send(acs.AckRequest{Cluster: n.cfg.Cluster, ContainerInstance: arn, MessageID: id})
	}
	switch m := msg.(type) {
	case *acs.PayloadMessage:
		if full {
			return nil // no ack: it comes again
		}
		n.accept(m.Tasks)
		n.mu.Lock()
		n.count.Payloads++
		n.mu.Unlock()
		return ack(m.MessageID)
	case *acs.HeartbeatMessage:
		n.mu.Lock()
		n.count.Acks++
		n.mu.Unlock()
		return s.send(acs.HeartbeatAckRequest{MessageID: m.MessageID})
	case *acs.TaskManifestMessage:
		q, fresh := n.compare(m)
		if !fresh {
			return nil
		}
		if err := ack(m.MessageID); err != nil || len(q.StopCandidates) == 0 {
			return err
		}
		return s.send(q)
	case *acs.TaskStopVerificationAck:
		var stops []acs.Task
		for _, t := range m.StopTasks {
			stops = append(stops, acs.Task{Arn: t.TaskArn, DesiredStatus: model.TaskStopped})
		}
		n.accept(stops)
	case *acs.RoadsteadReported:
		return n.answered(ctx, m)
	case *acs.RoadsteadReadLogs:
		return s.send(acs.RoadsteadLogs{MessageID: m.MessageID, Records: []acs.LogRecord{}, Error: "a simulated node has no logs"})
	case *acs.RoadsteadReset:
		n.Wipe()
		if err := s.send(acs.RoadsteadResetDone{MessageID: m.MessageID}); err != nil {
			return err
		}
		_, err := s.receive(time.Now().Add(silenceLimit)) // the control plane ends the connection
		return errors.Join(errReset, err)
	}
	return nil
}

// compare finds the tasks that the manifest does not list; an old manifest is not fresh (AGENT-PROTOCOL §1.2).
func (n *Node) compare(m *acs.TaskManifestMessage) (q acs.TaskStopVerificationMessage, fresh bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m.Timeline <= n.seq {
		return q, false
	}
	n.seq = m.Timeline
	listed := map[string]bool{}
	for _, t := range m.Tasks {
		listed[t.TaskArn] = true
	}
	q.MessageID = m.MessageID
	for _, t := range n.sorted() {
		if t.phase != stopped && !listed[t.arn] {
			q.StopCandidates = append(q.StopCandidates, acs.ManifestTask{TaskArn: t.arn, DesiredStatus: model.TaskRunning, ClusterArn: m.ClusterArn})
		}
	}
	return q, true
}
