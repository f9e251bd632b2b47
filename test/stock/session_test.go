package stock_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// manifest is the next one, as the agent can read it: the ARNs of its tasks with what is wished of them.
func (a *agent) manifest() (m object, tasks map[string]string) {
	a.w.Helper()
	m = a.acs.take("TaskManifestMessage")
	a.w.fits("manifest", "manifest", m)
	tasks = map[string]string{}
	for _, line := range m["tasks"].(list) {
		tasks[text(dig(line, "taskArn"))] = text(dig(line, "desiredStatus"))
	}
	return m, tasks
}

// A connection lasts half an hour: then the agent closes it, and comes back at once. Heartbeats keep it until then.
func TestExpiredConnection(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		task := w.run(w.define("web", "bridge", nil, nil))
		a.given()
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		w.pass(31 * time.Minute)
		if err := a.acs.closed(); err != nil {
			w.Fatalf("it ended by itself: %v", err)
		}
		// the agent gives up after 60 s without a message
		if a.acs.beats < 31 {
			w.Errorf("%d heartbeats in 31 minutes", a.acs.beats)
		}
		old := a.acs
		timeline := 0.0
		for range 2 {
			_ = old.ws.Close(websocket.StatusNormalClosure, "ConnectionExpired: Reconnect to continue")
			a.connect()
			m, tasks := a.manifest()
			w.want("the manifest", tasks, map[string]string{task: "RUNNING"})
			if now := m["timeline"].(float64); now <= timeline { // or it is discarded without a word
				w.Errorf("timeline %v after %v", now, timeline)
			} else {
				timeline = now
			}
			a.ack(m)
			w.want("connected", a.instance()["agentConnected"], true)
			w.wantStatus(task, "RUNNING")
			old = a.acs
			w.pass(time.Second)
		}
	})
}

// Protocol 2: the server ends a connection on which heartbeats are not acknowledged. Then the instance is not connected.
func TestSilentAgent(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		a.acs.hush()
		w.pass(2 * time.Minute)
		if a.acs.closed() == nil {
			w.Error("the connection goes on")
		}
		w.pass(time.Minute + time.Second)
		w.want("connected", a.instance()["agentConnected"], false)
	})
}

// An agent that is away for four minutes finds its tasks as they were; what it saved up is taken.
func TestShortAbsence(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		family := w.define("web", "bridge", nil, nil)
		stays, ends := w.run(family), w.run(family)
		for _, tasks := 0, 0; tasks < 2; {
			m, some := a.payload()
			a.ack(m)
			tasks += len(some)
		}
		for _, task := range []string{stays, ends} {
			a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		}
		a.acs.leave()
		w.pass(4 * time.Minute)
		w.want("connected", a.instance()["agentConnected"], false)
		w.wantStatus(stays, "RUNNING")
		a.connect()
		a.submit(ends, "STOPPED", nil, object{"containerName": "app", "status": "STOPPED", "exitCode": 0})
		w.wantStatus(stays, "RUNNING")
		w.wantStatus(ends, "STOPPED")
		w.want("connected again", a.instance()["agentConnected"], true)
	})
}

// After an hour the tasks are given up. The agent still runs one: the manifest does not list it as RUNNING, it asks, and is told to
// stop it. Its reports are acknowledged, and change nothing.
func TestAnHourAway(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		task := w.run(w.define("web", "bridge", nil, nil))
		a.given()
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		a.acs.leave()
		w.pass(time.Hour)
		w.wantStatus(task, "STOPPED")
		a.seen = false // its process is another one, too
		a.register()
		a.connect()
		m, tasks := a.manifest()
		if tasks[task] == "RUNNING" {
			w.Fatalf("the manifest wishes for %v", tasks)
		}
		a.ack(m)
		a.acs.send("TaskStopVerificationMessage", object{"messageId": m["messageId"], "stopCandidates": list{
			object{"taskArn": task, "desiredStatus": "STOPPED", "taskClusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/default"}}})
		v := a.acs.take("TaskStopVerificationAck")
		w.fits("verified", "verified", v)
		w.want("of that manifest", v["messageId"], m["messageId"])
		w.want("to be stopped", dig(v, "stopTasks", 0, "taskArn"), task)
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		a.submit(task, "STOPPED", nil, object{"containerName": "app", "status": "STOPPED", "exitCode": 143})
		w.wantStatus(task, "STOPPED")
		if m := a.acs.look("PayloadMessage"); m != nil {
			w.Errorf("it is sent %v", m)
		}
	})
}

// An agent that runs what nobody knows asks about it. Tasks that are wished for are never confirmed, whatever it asks.
func TestUnknownTasksAreStopped(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		mine := w.run(w.define("web", "bridge", nil, nil))
		a.given()
		a.acs.leave()
		a.connect()
		m, tasks := a.manifest()
		w.want("the manifest", tasks, map[string]string{mine: "RUNNING"})
		a.ack(m)
		foreign := "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef"
		ask := func(id any) {
			a.acs.send("TaskStopVerificationMessage", object{"messageId": id, "stopCandidates": list{
				object{"taskArn": foreign, "desiredStatus": "STOPPED"}, object{"taskArn": mine, "desiredStatus": "STOPPED"}}})
		}
		ask("another manifest's") // is not answered
		if v := a.acs.look("TaskStopVerificationAck"); v != nil {
			w.Errorf("answered %v", v)
		}
		ask(m["messageId"])
		v := a.acs.take("TaskStopVerificationAck")
		w.fits("verified", "verified", v)
		w.want("to be stopped", len(v["stopTasks"].(list)), 1)
		w.want("the foreign one", dig(v, "stopTasks", 0, "taskArn"), foreign)
	})
}

// Stops and starts in one payload, a payload that is not acknowledged comes again, and one that is does not.
func TestPayloadsUntilAcknowledged(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		family := w.define("web", "bridge", nil, nil)
		task := w.run(family)
		first, _ := a.payload()
		w.pass(31 * time.Second)
		again, tasks := a.payload()
		w.want("the task", dig(tasks, 0, "arn"), task)
		if first["messageId"] == again["messageId"] || first["seqNum"].(float64) >= again["seqNum"].(float64) {
			w.Errorf("sent again as %v %v, after %v %v", again["messageId"], again["seqNum"], first["messageId"], first["seqNum"])
		}
		a.ack(first) // too late
		w.pass(31 * time.Second)
		w.want("once more", a.given()["arn"], task)
		w.pass(2 * time.Minute)
		if m := a.acs.look("PayloadMessage"); m != nil {
			w.Errorf("it comes again: %v", m)
		}
	})
}

// A control plane that cannot write ends a connection, and not at once: the agent comes back without a pause.
func TestFullDisk(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		endpoint, _ := a.endpoints() // it keeps that for twelve hours
		q := url.Values{"agentHash": {"a8b3e7d3"}, "agentVersion": {"1.105.1"}, "clusterArn": {cluster}, "containerInstanceArn": {a.arn}}
		a.acs.leave()
		w.pass(2 * time.Minute)
		w.full.Store(true)
		tries := 0
		for began := time.Now(); time.Since(began) < 30*time.Second; tries++ {
			s, refused := a.dial(endpoint, q)
			if refused != "" {
				w.pass(250 * time.Millisecond) // the agent waits that long at first
				continue
			}
			for s.closed() == nil && time.Since(began) < time.Minute {
				w.pass(100 * time.Millisecond)
			}
		}
		if tries < 2 || tries > 7 {
			w.Errorf("it has connected %d times in 30 s", tries)
		}
		w.full.Store(false)
		a.connect()
		w.pass(time.Second)
		w.want("connected", a.instance()["agentConnected"], true)
	})
}
