package stock_test

import (
	"maps"
	"strings"
	"testing"
)

// define registers a task definition of one container, and returns its family.
func (w *world) define(family, mode string, container, more object) string {
	w.Helper()
	c := object{"name": "app", "image": "nginx:1.27", "memory": 64, "essential": true}
	maps.Copy(c, container)
	in := object{"family": family, "networkMode": mode, "containerDefinitions": list{c}}
	maps.Copy(in, more)
	w.root.ecs("RegisterTaskDefinition", in)
	return family
}

// run runs one task of the family, and returns its ARN.
func (w *world) run(family string) string {
	w.Helper()
	out := w.root.ecs("RunTask", object{"cluster": cluster, "taskDefinition": family, "launchType": "EXTERNAL"})
	arn := text(dig(out, "tasks", 0, "taskArn"))
	if arn == "" {
		w.Fatalf("RunTask %s: %v", family, out["failures"])
	}
	return arn
}

// describe is the task as DescribeTasks shows it.
func (w *world) describe(task string) object {
	w.Helper()
	t, _ := dig(w.root.ecs("DescribeTasks", object{"cluster": cluster, "tasks": list{task}}), "tasks", 0).(object)
	return t
}

func (w *world) wantStatus(task, want string) {
	w.Helper()
	w.want("lastStatus", w.describe(task)["lastStatus"], want)
}

// A task's whole life in each mode that works under the stock agent: payload, acknowledgement, reports as the agent batches them, stop.
func TestLife(t *testing.T) {
	for mode, network := range map[string]any{"bridge": nil, "host": "host", "none": "none"} {
		t.Run(mode, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.joined()
				ports := list{object{"containerPort": 80}}
				if mode == "none" {
					ports = nil
				}
				task := w.run(w.define("web", mode, object{"portMappings": ports}, nil))
				given := a.given()
				w.want("arn", given["arn"], task)
				w.want("family and version, a string", given["family"].(string)+":"+given["version"].(string), "web:1")
				w.want("desired status", given["desiredStatus"], "RUNNING")
				w.want("network mode", given["networkMode"], mode)
				c := dig(given, "containers", 0)
				host := w.parse("hostConfig", dig(c, "dockerConfig", "hostConfig"))
				w.want("Docker's network mode", host["NetworkMode"], network)
				w.want("the launch type in the environment", dig(c, "environment", "AWS_EXECUTION_ENV"), "AWS_ECS_EXTERNAL")
				w.wantStatus(task, "PENDING") // acknowledged

				a.live(task, mode)
				w.root.ecs("StopTask", object{"cluster": cluster, "task": task, "reason": "enough"})
				stop := a.given()
				w.want("a stop says no more", stop, object{"arn": task, "desiredStatus": "STOPPED"})
				a.die(task)
			})
		})
	}
}

// live reports what an agent reports until the task runs, some of it twice.
func (a *agent) live(task, mode string) {
	w := a.w
	w.Helper()
	app := func(status string, more object) object {
		c := object{"containerName": "app", "runtimeId": "d3adbeef", "status": status}
		maps.Copy(c, more)
		return c
	}
	// the digest alone: the agent calls MANIFEST_PULLED PENDING
	a.submit(task, "PENDING", nil, object{"containerName": "app", "status": "PENDING", "imageDigest": "sha256:" + strings.Repeat("ab", 32)})
	w.wantStatus(task, "PENDING")
	w.want("digest", dig(w.describe(task), "containers", 0, "imageDigest"), "sha256:"+strings.Repeat("ab", 32))
	var bindings list
	if mode == "bridge" {
		bindings = list{object{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}, object{"bindIP": "::", "containerPort": 80, "hostPort": 32768, "protocol": "tcp"}}
	}
	running := object{"pullStartedAt": 946684801.125, "pullStoppedAt": 946684802.5, "managedAgents": list{
		object{"managedAgentName": "ExecuteCommandAgent", "containerName": "app", "status": "STOPPED", "reason": "none here"}}}
	for range 2 { // the retrier did not hear the first answer
		a.submit(task, "RUNNING", running, app("RUNNING", object{"networkBindings": bindings}))
	}
	d := w.describe(task)
	w.want("status", d["lastStatus"], "RUNNING")
	w.want("connectivity", d["containerInstanceArn"], a.arn)
	w.want("pull began", d["pullStartedAt"], 946684801.125)
	w.want("container", dig(d, "containers", 0, "lastStatus"), "RUNNING")
	w.want("runtime id", dig(d, "containers", 0, "runtimeId"), "d3adbeef")
	if mode == "bridge" {
		w.want("published", dig(d, "containers", 0, "networkBindings", 0, "hostPort"), 32768)
	}
	// late and backward: the batch of a ticker that came after
	a.submit(task, "PENDING", nil, app("RUNNING", nil))
	w.wantStatus(task, "RUNNING")
}

// die reports the end of a task that was told to stop.
func (a *agent) die(task string) {
	w := a.w
	w.Helper()
	// one call may have a container twice, in their order
	a.submit(task, "STOPPED", object{"executionStoppedAt": 946684900.0},
		object{"containerName": "app", "runtimeId": "d3adbeef", "status": "RUNNING"}, object{"containerName": "app", "runtimeId": "d3adbeef", "status": "STOPPED", "exitCode": 143})
	d := w.describe(task)
	w.want("status", d["lastStatus"], "STOPPED")
	w.want("why", text(d["stopCode"])+" "+text(d["stoppedReason"]), "UserInitiated enough")
	w.want("exit code", dig(d, "containers", 0, "exitCode"), 143)
	a.submit(task, "RUNNING", nil) // late: acknowledged, or it would come for ever
	w.wantStatus(task, "STOPPED")
}

// How tasks end by themselves: the agent sends no stopCode, and usually no reason (AGENT-PROTOCOL §4.3).
func TestEnds(t *testing.T) {
	const pull = "CannotPullContainerError: Error response from daemon: manifest for nginx:1.27 not found: manifest unknown: manifest unknown"
	for name, c := range map[string]struct {
		ran       bool
		more      object
		container object
		code, why string
		shown     any // the container's reason
	}{
		"a pull fails": {container: object{"status": "STOPPED", "reason": pull}, code: "TaskFailedToStart", why: pull, shown: pull},
		"the start fails": {container: object{"status": "STOPPED", "reason": "CannotStartContainerError: Error response from daemon: OCI runtime create failed", "exitCode": 128}, code: "TaskFailedToStart",
			why: "CannotStartContainerError: Error response from daemon: OCI runtime create failed", shown: "CannotStartContainerError: Error response from daemon: OCI runtime create failed"},
		"the payload cannot be parsed": {more: object{"reason": "UnrecognizedTaskError: Error loading task - invalid volume"}, code: "TaskFailedToStart", why: "UnrecognizedTaskError: Error loading task - invalid volume"},
		"it exits":                     {ran: true, container: object{"status": "STOPPED", "exitCode": 3}, code: "EssentialContainerExited", why: "Essential container in task exited"},
		"memory ends": {ran: true, container: object{"status": "STOPPED", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}, code: "EssentialContainerExited",
			why: "Essential container in task exited", shown: "OutOfMemoryError: Container killed due to memory usage"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.joined()
				task := w.run(w.define("web", "bridge", nil, nil))
				a.given()
				if c.ran {
					a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
				}
				var changes list
				if c.container != nil {
					c.container["containerName"] = "app"
					changes = list{c.container}
				}
				a.submit(task, "STOPPED", c.more, changes...)
				d := w.describe(task)
				w.want("status", d["lastStatus"], "STOPPED")
				w.want("stopCode", d["stopCode"], c.code)
				w.want("stoppedReason", d["stoppedReason"], c.why)
				w.want("the container's reason", dig(d, "containers", 0, "reason"), c.shown)
			})
		})
	}
}

// A payload with a task that the agent cannot parse is never acknowledged: that task is STOPPED by a report, and the others come again.
func TestUnparseableTask(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		out := w.root.ecs("RunTask", object{"cluster": cluster, "taskDefinition": w.define("web", "bridge", nil, nil), "launchType": "EXTERNAL", "count": 2})
		bad, good := text(dig(out, "tasks", 0, "taskArn")), text(dig(out, "tasks", 1, "taskArn"))
		if _, tasks := a.payload(); len(tasks) != 2 {
			w.Fatalf("a payload of %d tasks", len(tasks))
		}
		a.submit(bad, "STOPPED", object{"reason": "UnrecognizedTaskError: Error loading task"})
		w.pass(40e9)
		w.want("what comes again", a.given()["arn"], good)
		w.wantStatus(good, "PENDING")
		w.wantStatus(bad, "STOPPED")
	})
}

// Attachments of the machine itself are reported, too, and acknowledged, or the reports would come for ever.
func TestAttachmentsOfTheInstance(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		out := a.ecs("SubmitAttachmentStateChanges", object{"cluster": cluster, "attachments": list{
			object{"attachmentArn": "arn:aws:ecs:us-east-1:000000000000:attachment/11111111-2222-3333-4444-555555555555", "status": "ATTACHED"}}})
		if _, ok := out["acknowledgment"]; !ok {
			w.Errorf("answered %v", out)
		}
	})
}

// An event about a task that is not known is dropped by the agent if it is an InvalidParameterException; anything else is repeated for ever.
func TestUnknownTask(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		for _, where := range []string{cluster, "gone"} {
			_, err := a.try("ecs", "SubmitTaskStateChange", object{"cluster": where, "task": "arn:aws:ecs:us-east-1:000000000000:task/" + where + "/00000000000000000000000000000000",
				"status": "STOPPED", "containers": list{object{"containerName": "app", "status": "STOPPED", "exitCode": 0}}})
			w.want("in the cluster "+where, refusedAs(err), "InvalidParameterException")
		}
	})
}
