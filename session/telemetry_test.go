package session_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

func (w *world) task(id string) *model.Task {
	w.Helper()
	t, ok := w.db.Snapshot().Tasks.Get(model.TaskKey(scope, "c", id))
	if !ok {
		w.Fatalf("no task %s", id)
	}
	return t
}

func health(id, status string) acs.TaskHealth {
	return acs.TaskHealth{TaskArn: model.TaskARN(scope, "c", id), Containers: []acs.ContainerHealth{{ContainerName: "app", HealthStatus: status}}}
}

// SEMANTICS §7, AGENT-PROTOCOL §1.3: container health comes over telemetry only, from the task's own node only.
func TestHealthComesOverTelemetry(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1", "over")
		w.run("i2", "other")
		w.change("over", func(t *model.Task) { t.Last = model.TaskStopped })
		a := w.dial("/tcs/ws", "containerInstance", "i1")
		a.send(acs.PublishHealthRequest{Tasks: []acs.TaskHealth{health("t1", "UNKNOWN"), health("other", "UNHEALTHY"), health("over", "UNHEALTHY"), health("nobody", "UNHEALTHY")}})
		a.wants("answer", "AckPublishHealth")
		w.want("t1", w.task("t1").Health, "UNKNOWN")
		a.send(acs.PublishHealthRequest{Tasks: []acs.TaskHealth{health("t1", "HEALTHY")}})
		version := w.task("t1").Version
		a.send(acs.PublishHealthRequest{Tasks: []acs.TaskHealth{health("t1", "HEALTHY")}})
		a.wants("answers", "AckPublishHealth, AckPublishHealth")
		w.want("t1", w.task("t1").Health, "HEALTHY")
		w.want("version after saying the same again", w.task("t1").Version, version)
		w.want("another node's task", w.task("other").Health, "")
		w.want("a stopped task", w.task("over").Health, "")
	})
}

func TestRuntimeStatusComesOverTelemetry(t *testing.T) {
	inWorld(t, func(w *world) {
		w.connect("i1")
		a := w.dial("/tcs/ws", "containerInstance", "i1")
		for _, status := range []string{"OK", "OK", "IMPAIRED"} {
			a.send(acs.PublishInstanceStatusRequest{Statuses: []acs.InstanceStatus{{Type: "Daemon", Status: "IMPAIRED"}, {Type: "ContainerRuntime", Status: status}}})
			w.want("runtime status", w.instance("i1").RuntimeStatus, status)
		}
		a.wants("answers", "AckPublishInstanceStatus, AckPublishInstanceStatus, AckPublishInstanceStatus")
		w.want("since", w.instance("i1").RuntimeStatusAt, time.Now().UnixMilli())
		w.want("version of the row", w.instance("i1").Version, int64(4)) // registered, connected, OK, IMPAIRED
		a.send(acs.PublishMetricsRequest{})
		time.Sleep(41 * time.Second)
		a.wants("metrics, and heartbeats", "AckPublishMetric, beat, beat")
	})
}

func TestTelemetryEndsWithItsServer(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.dial("/tcs/ws", "containerInstance", "i1")
		second := newMember(w.T, w.store)
		w.store.Depose()
		w.awaitLead(second)
		_ = a.conn.Send(w.Context(), acs.PublishInstanceStatusRequest{Statuses: []acs.InstanceStatus{{Type: "ContainerRuntime", Status: "OK"}}})
		w.want("connected to a member that does not lead", a.connected(), false)
	})
}

// stock speaks as the unmodified Amazon ECS agent does: frames are written out, not built with package acs.
type stock struct {
	w  *world
	ws *websocket.Conn
}

func (s *stock) write(frame string) {
	s.w.Helper()
	if err := s.ws.Write(s.w.Context(), websocket.MessageText, []byte(frame)); err != nil {
		s.w.Fatal(err)
	}
}

// read returns the next frame that is not a heartbeat.
func (s *stock) read() any {
	s.w.Helper()
	for {
		ctx, cancel := context.WithTimeout(s.w.Context(), time.Minute)
		_, b, err := s.ws.Read(ctx)
		cancel()
		if err != nil {
			s.w.Fatal(err)
		}
		msg, err := acs.Decode(b)
		if err != nil {
			s.w.Fatalf("%s: %v", b, err)
		}
		if _, beat := msg.(*acs.HeartbeatMessage); !beat {
			return msg
		}
	}
}

func (w *world) stock(path string, q url.Values) *stock {
	w.Helper()
	ws, _, err := w.upgrade(path, account, q)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = ws.CloseNow() })
	return &stock{w, ws}
}

// AGENT-PROTOCOL §1.2, §1.3: query parameters, frames and order of agent 1.105, as they were seen.
func TestUnmodifiedAgent(t *testing.T) {
	inWorld(t, func(w *world) {
		w.run("i1", "t1")
		instance, cluster := model.InstanceARN(scope, "c", "i1"), model.ClusterARN(scope, "c")
		a := w.stock("/ws", url.Values{"agentHash": {"a8b3e7d3"}, "agentVersion": {"1.105.1"}, "clusterArn": {"c"}, "containerInstanceArn": {instance},
			"dockerVersion": {"DockerVersion: 20.10.24+dfsg1"}, "protocolVersion": {"2"}, "sendCredentials": {"true"}, "seqNum": {"1"}})
		m, ok := a.read().(*acs.TaskManifestMessage)
		if !ok || m.ClusterArn != cluster || m.ContainerInstanceArn != instance || m.Timeline <= 0 || len(m.Tasks) != 1 {
			w.Fatalf("the manifest: %+v", m)
		}
		a.write(fmt.Sprintf(`{"type":"AckRequest","message":{"cluster":"c","containerInstance":%q,"messageId":%q}}`, instance, m.MessageID))
		p, ok := a.read().(*acs.PayloadMessage)
		// the agent drops payloads without these in silence
		if !ok || p.ClusterArn != cluster || p.ContainerInstanceArn != instance || p.MessageID == "" || p.SeqNum != 1 || p.GeneratedAt <= 0 {
			w.Fatalf("the payload: %+v", p)
		}
		if c := p.Tasks[0].Containers[0]; p.Tasks[0].Family != "web" || p.Tasks[0].Version != "1" || c.Name != "app" || c.Image != "web:1" || c.Memory != 64 || !c.Essential {
			w.Errorf("the task: %+v", p.Tasks[0])
		}
		a.write(`{"type":"SomethingNew","message":{"unknown":[1,2]}}`)
		a.write(fmt.Sprintf(`{"type":"IAMRoleCredentialsAckRequest","message":{"credentialsId":"x","expiration":"y","messageId":%q}}`, p.MessageID))
		a.write(fmt.Sprintf(`{"type":"AckRequest","message":{"messageId":%q,"cluster":"c","containerInstance":%q}}`, p.MessageID, instance))
		synctest.Wait()
		w.want("delivered", w.statuses(), "t1:PENDING")
		w.want("docker version", w.instance("i1").DockerVersion, "DockerVersion: 20.10.24+dfsg1")
		w.unmodifiedTelemetry(instance)
	})
}

func (w *world) unmodifiedTelemetry(instance string) {
	w.Helper()
	s := w.stock("/tcs/ws", url.Values{"agentHash": {"a8b3e7d3"}, "agentVersion": {"1.105.1"}, "cluster": {"c"}, "containerInstance": {instance}, "dockerVersion": {"20.10.24+dfsg1"}})
	const head = "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/ecs/aws4_request\r\nHost: plane\r\nX-Amz-Date: 20261121T080000Z\r\n\r\n"
	meta := fmt.Sprintf(`"metadata":{"cluster":"c","containerInstance":%q,"messageId":"1","idle":false,"fin":true}`, instance)
	s.write(head + `{"type":"PublishMetricsRequest","message":{` + meta + `,"instanceMetrics":{},"taskMetrics":[{"taskArn":"x","containerMetrics":[{"cpuStatsSet":{"min":0.1,"max":1,"sum":2,"sampleCount":3}}]}],"timestamp":1.7e9}}`)
	w.want("answer to metrics", fmt.Sprintf("%T", s.read()), "*acs.AckPublishMetric")
	s.write(head + `{"type":"PublishHealthRequest","message":{` + meta + `,"tasks":[{"taskArn":"` + model.TaskARN(scope, "c", "t1") +
		`","taskDefinitionFamily":"web","taskDefinitionVersion":"1","clusterArn":"c","containers":[{"containerName":"app","healthStatus":"HEALTHY","statusSince":1.7e9}]}],"timestamp":1.7e9}}`)
	w.want("answer to health", fmt.Sprintf("%T", s.read()), "*acs.AckPublishHealth")
	w.want("health", w.task("t1").Health, "HEALTHY")
	s.write(head + `{"type":"PublishInstanceStatusRequest","message":{` + meta + `,"statuses":[{"type":"ContainerRuntime","status":"OK","lastStatusChange":1.7e9,"lastUpdated":1.7e9,"statusReason":""}],"timestamp":1.7e9}}`)
	w.want("answer to status", fmt.Sprintf("%T", s.read()), "*acs.AckPublishInstanceStatus")
	w.want("runtime status", w.instance("i1").RuntimeStatus, "OK")
}
