package stock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// publish sends a frame of telemetry, as no plain JSON: in front are the headers of a signed request.
func (s *socket) publish(kind string, message any) {
	s.w.Helper()
	head := "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/ecs/aws4_request, SignedHeaders=host;x-amz-date, Signature=00\r\nHost: plane:4566\r\nX-Amz-Date: 20261121T080000Z\r\n\r\n"
	if err := s.ws.Write(s.w.Context(), websocket.MessageText, append([]byte(head), encode(kind, message)...)); err != nil {
		s.w.Fatal(err)
	}
	synctest.Wait()
}

// Health of containers comes by telemetry alone; figures and the runtime's state with it. Each is acknowledged.
func TestTelemetry(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		task := w.run(w.define("web", "bridge", object{"healthCheck": object{"command": list{"CMD", "true"}}}, nil))
		a.given()
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		w.want("health", w.describe(task)["healthStatus"], "UNKNOWN")
		tcs := a.telemetry()
		meta := object{"cluster": cluster, "containerInstance": a.arn, "messageId": "m", "fin": true}
		for _, at := range []any{1.7e9, "2026-11-26T23:00:00Z"} { // what a time looks like has changed between versions
			tcs.publish("PublishHealthRequest", object{"metadata": meta, "timestamp": at, "tasks": list{object{
				"taskArn": task, "taskDefinitionFamily": "web", "taskDefinitionVersion": "1", "clusterArn": cluster,
				"containers": list{object{"containerName": "app", "healthStatus": "HEALTHY", "statusSince": at, "statusMessage": "ok"}}}}})
			tcs.take("AckPublishHealth")
			tcs.publish("PublishMetricsRequest", object{"metadata": object{"cluster": cluster, "containerInstance": a.arn, "messageId": "m", "idle": false, "fin": true},
				"instanceMetrics": object{"storage": object{"dataFilesystem": 12.5}}, "timestamp": at, "taskMetrics": list{figures(task)}})
			tcs.take("AckPublishMetric")
			tcs.publish("PublishInstanceStatusRequest", object{"metadata": object{"cluster": cluster, "containerInstance": a.arn, "requestId": "r"}, "timestamp": at,
				"statuses": list{object{"type": "ContainerRuntime", "status": "IMPAIRED", "lastStatusChange": at, "lastUpdated": at, "statusReason": "docker ping failed"}}})
			tcs.take("AckPublishInstanceStatus")
		}
		w.want("health", w.describe(task)["healthStatus"], "HEALTHY")
		health := w.root.ecs("DescribeContainerInstances", object{"cluster": cluster, "containerInstances": list{a.arn}, "include": list{"CONTAINER_INSTANCE_HEALTH"}})
		w.want("the runtime", dig(health, "containerInstances", 0, "healthStatus", "overallStatus"), "IMPAIRED")

		// what it does not know, and what nobody can read, ends nothing: the agent would come back and say it again
		tcs.publish("PublishSomethingNew", object{"x": 1})
		tcs.publish("PublishHealthRequest", object{"metadata": meta, "tasks": "none"})
		w.pass(10 * time.Minute)
		if err := tcs.closed(); err != nil {
			t.Fatalf("the connection ends: %v", err)
		}
		if tcs.beats < 10 {
			t.Errorf("%d heartbeats in ten minutes: the agent gives up after one without", tcs.beats)
		}
		tcs.publish("PublishMetricsRequest", object{"metadata": object{"cluster": cluster, "containerInstance": a.arn, "idle": true, "fin": true}, "timestamp": 1.7e9})
		tcs.take("AckPublishMetric")
		w.wantStatus(task, "RUNNING")
	})
}

// figures are what the agent measures of a task.
func figures(task string) object {
	set := object{"min": 0.5, "max": 2.5, "sum": 6.0, "sampleCount": 4}
	count := object{"min": 1, "overflowMin": 0, "max": 10, "overflowMax": 0, "sum": 20, "overflowSum": 0, "sampleCount": 4}
	return object{"taskArn": task, "taskDefinitionFamily": "web", "taskDefinitionVersion": "1", "clusterArn": cluster, "containerMetrics": list{object{
		"containerName": "app", "containerArn": "arn:aws:ecs:us-east-1:000000000000:container/x", "cpuStatsSet": set, "memoryStatsSet": set,
		"networkStatsSet": object{"rxBytes": count, "rxDropped": count, "rxErrors": count, "rxPackets": count, "txBytes": count, "txDropped": count, "txErrors": count,
			"txPackets": count, "rxBytesPerSecond": set, "txBytesPerSecond": set},
		"storageStatsSet": object{"readSizeBytes": count, "writeSizeBytes": count}, "restartStatsSet": object{"restartCount": 1}}},
		"ephemeralStorageMetrics": object{"bytesUtilized": count}, "volumeMetrics": list{}, "serviceConnectMetricsWrapper": list{}}
}
