package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

// link is the node's tie to the control plane. The engine is replaced by a reset, in the goroutine of run; otherwise all
// fields are immutable.
type link struct {
	agent  *Agent
	log    *slog.Logger
	failed chan error // an engine that could not run; has room for one

	reports chan told // to whichever connection there is
	answers chan *acs.RoadsteadReported

	engine *task.Engine // nil after a reset, until run starts another
	stop   context.CancelFunc
	ended  chan struct{} // closed when the engine has ended

	endpoint string // of the member that the node is connected to; belongs to run

	late     sync.WaitGroup     // a payload that waits for room on the disk
	stopLate context.CancelFunc // ends that wait, nil without one; belongs to run
}

func newLink(a *Agent) *link {
	return &link{
		agent: a, log: a.cfg.Log, failed: make(chan error, 1), reports: make(chan told), answers: make(chan *acs.RoadsteadReported), ended: make(chan struct{}),
	}
}

// startEngine begins a life of the engine.
func (l *link) startEngine(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.ended = make(chan struct{})
	l.engine = task.New(task.Config{
		Dir: l.agent.dir("engine"), Runtime: l.agent.shipping(), Network: l.agent.network, Volumes: l.agent.volumes, Report: l.report,
		Decorate: l.agent.decorate, CleanupAfter: l.agent.cfg.CleanupAfter, Log: l.log, Reached: l.agent.kill.reached,
	})
	l.agent.engine.Store(l.engine)
	go func(e *task.Engine, ended chan struct{}) {
		defer close(ended)
		if err := e.Run(ctx); err != nil && ctx.Err() == nil {
			select {
			case l.failed <- err:
			default:
			}
		}
	}(l.engine, l.ended)
}

// stopEngine ends the engine's life, if it has one; its containers stay.
func (l *link) stopEngine() {
	if l.engine == nil {
		return
	}
	l.stop()
	<-l.ended
	l.engine = nil
	l.agent.engine.Store(nil)
}

var (
	errUnknownInstance = errors.New("the control plane does not know this instance")
	errReset           = errors.New("the node was reset")
	errSilence         = errors.New("no message from the control plane")
)

// Times of the connection (AGENT-PROTOCOL §1.2).
const (
	silenceLimit = 60 * time.Second
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// run registers and stays connected, again and again, until ctx ends.
func (l *link) run(ctx context.Context) {
	wait := firstBackoff
	for ctx.Err() == nil {
		if l.engine == nil {
			l.startEngine(ctx) // not in reset: there ctx ends with the connection
		}
		began := time.Now()
		err := l.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errReset) {
			wait = firstBackoff
			continue
		}
		if errors.Is(err, errUnknownInstance) {
			if err := removeIdentity(l.agent.cfg.DataDir); err != nil {
				l.log.Error("forget who the node was", "err", err)
			}
		}
		if time.Since(began) > time.Minute || websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			wait = firstBackoff
		}
		l.log.Warn("connection to the control plane ended", "err", err, "retry", wait)
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, lastBackoff)
	}
}

// once registers, discovers the endpoints and serves one ACS and one TCS connection.
func (l *link) once(ctx context.Context) error {
	id, err := l.agent.register(ctx)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	var poll acs.DiscoverPollEndpointResponse
	in := map[string]string{"cluster": id.Cluster, "containerInstance": id.Arn}
	if err := l.agent.client.Call(ctx, "ecs", "DiscoverPollEndpoint", in, &poll); err != nil {
		return err
	}
	conn, err := l.dial(ctx, poll.Endpoint, "ws", url.Values{
		"agentHash": {model.OwnAgent}, "agentVersion": {Version}, "clusterArn": {id.Cluster}, "containerInstanceArn": {id.Arn},
		"protocolVersion": {"2"}, "sendCredentials": {"true"}, "seqNum": {"1"},
	})
	if err != nil {
		return err
	}
	l.log.Info("connected", "instance", id.Arn, "server", poll.Endpoint)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	l.endpoint = poll.Endpoint
	engine := l.engine // a reset replaces it, and ends this connection
	wg.Go(func() { l.telemetry(ctx, engine, poll.TelemetryEndpoint, id) })
	wg.Go(func() { l.watchMembers(ctx) })
	wg.Go(func() { l.tellExec(ctx, conn) })
	wg.Go(func() { l.tellReports(ctx, conn) })
	defer conn.Close("agent leaves")
	defer l.dropLate()
	return l.serve(ctx, conn, id)
}

// dial opens a signed websocket to PATH under the endpoint.
func (l *link) dial(ctx context.Context, endpoint, path string, q url.Values) (*acs.Conn, error) {
	r, err := l.agent.client.SignedRequest(ctx, "ecs", strings.TrimSuffix(endpoint, "/")+"/"+path+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, r.URL.String(), &websocket.DialOptions{HTTPHeader: r.Header}) //nolint:bodyclose // websocket.Dial closes it, and leaves a buffered copy
	if err != nil {
		return nil, explainRefusal(resp, err)
	}
	return acs.NewConn(ws), nil
}

// explainRefusal names the refusals after which the node must register anew.
func explainRefusal(resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return err
	}
	body := make([]byte, 1024)
	n, _ := resp.Body.Read(body)
	text := string(body[:n])
	if strings.Contains(text, "InvalidInstanceException") || strings.Contains(text, "InactiveInstanceException") {
		return fmt.Errorf("%w: %s", errUnknownInstance, text)
	}
	return fmt.Errorf("%w: %s", err, text)
}

// serve reads messages until the connection ends or is silent for too long.
func (l *link) serve(ctx context.Context, conn *acs.Conn, id identity) error {
	for {
		quiet, cancel := context.WithTimeoutCause(ctx, silenceLimit+rand.N(silenceLimit), errSilence)
		msg, err := conn.Receive(quiet)
		cause := context.Cause(quiet)
		cancel()
		if err != nil {
			if errors.Is(cause, errSilence) {
				return errSilence
			}
			return err
		}
		if err := l.handle(ctx, conn, id, msg); err != nil {
			return err
		}
	}
}

func (l *link) handle(ctx context.Context, conn *acs.Conn, id identity, msg any) error {
	switch m := msg.(type) {
	case *acs.PayloadMessage:
		return l.take(ctx, conn, id, m)
	case *acs.IAMRoleCredentialsMessage:
		return l.renewRole(ctx, conn, m)
	case *acs.HeartbeatMessage:
		return conn.Send(ctx, acs.HeartbeatAckRequest{MessageID: m.MessageID})
	case *acs.TaskManifestMessage:
		return l.manifest(ctx, conn, id, m)
	case *acs.TaskStopVerificationAck:
		return l.stopVerified(ctx, m)
	case *acs.RoadsteadReported:
		return l.answered(ctx, m)
	case *acs.RoadsteadReadLogs:
		return conn.Send(ctx, l.agent.readLogs(ctx, m))
	case *acs.RoadsteadReset:
		return l.reset(ctx, conn, m)
	}
	return l.handleExec(ctx, conn, msg)
}

// acknowledgeRoles says of each role's credentials that came with tasks that they are here (AGENT-PROTOCOL §1.2).
func acknowledgeRoles(ctx context.Context, conn *acs.Conn, m *acs.PayloadMessage) error {
	for i := range m.Tasks {
		for _, c := range []*acs.RoleCreds{m.Tasks[i].RoleCredentials, m.Tasks[i].ExecutionRole} {
			if c == nil {
				continue
			}
			if err := conn.Send(ctx, acs.IAMRoleCredentialsAckRequest{CredentialsID: c.CredentialsID, Expiration: c.Expiration, MessageID: m.MessageID}); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewRole gives a task newer credentials of its role. Those of a task that is not here any more are forgotten at once.
func (l *link) renewRole(ctx context.Context, conn *acs.Conn, m *acs.IAMRoleCredentialsMessage) error {
	if _, ok := l.engine.Get(m.TaskArn); ok {
		t := acs.Task{Arn: m.TaskArn, DesiredStatus: model.TaskRunning}
		if m.RoleType == roleExecution {
			t.ExecutionRole = &m.Credentials
		} else {
			t.RoleCredentials = &m.Credentials
		}
		if err := l.engine.Accept(ctx, []acs.Task{t}); err != nil {
			l.log.Error("renew the credentials of a role", "task", m.TaskArn, "err", err)
			return nil // no ack: they come again
		}
	}
	return conn.Send(ctx, acs.IAMRoleCredentialsAckRequest{CredentialsID: m.Credentials.CredentialsID, Expiration: m.Credentials.Expiration, MessageID: m.MessageID})
}

// roleExecution is the role with which the node works for the task; others are the task's own.
const roleExecution = "TaskExecution"

// manifest asks about tasks that the control plane did not list.
func (l *link) manifest(ctx context.Context, conn *acs.Conn, id identity, m *acs.TaskManifestMessage) error {
	if err := conn.Send(ctx, acs.AckRequest{Cluster: id.Cluster, ContainerInstance: id.Arn, MessageID: m.MessageID}); err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, t := range m.Tasks {
		listed[t.TaskArn] = true
	}
	q := acs.TaskStopVerificationMessage{MessageID: m.MessageID}
	for _, t := range l.engine.List() {
		if t.State.Status() != model.TaskStopped && !listed[t.Task.Arn] {
			q.StopCandidates = append(q.StopCandidates, acs.ManifestTask{TaskArn: t.Task.Arn, DesiredStatus: model.TaskRunning, ClusterArn: m.ClusterArn})
		}
	}
	if len(q.StopCandidates) == 0 {
		return nil
	}
	return conn.Send(ctx, q)
}

func (l *link) stopVerified(ctx context.Context, m *acs.TaskStopVerificationAck) error {
	stops := make([]acs.Task, 0, len(m.StopTasks))
	for _, t := range m.StopTasks {
		stops = append(stops, acs.Task{Arn: t.TaskArn, DesiredStatus: model.TaskStopped})
	}
	if err := l.engine.Accept(ctx, stops); err != nil {
		l.log.Error("stop tasks that the control plane does not know", "tasks", len(stops), "err", err)
	}
	return nil
}

// reset removes every task and who the node was, and answers when that is done; the node then registers anew, with a new
// engine.
func (l *link) reset(ctx context.Context, conn *acs.Conn, m *acs.RoadsteadReset) error {
	l.stopEngine()
	if err := l.agent.forget(ctx); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	if err := conn.Send(ctx, acs.RoadsteadResetDone{MessageID: m.MessageID}); err != nil {
		return err
	}
	_, err := conn.Receive(ctx) // the control plane ends the connection when it has forgotten the node, too
	return errors.Join(errReset, err)
}
