package stock_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// instance is the agent's container instance as DescribeContainerInstances shows it.
func (a *agent) instance() object {
	a.w.Helper()
	i, _ := dig(a.w.root.ecs("DescribeContainerInstances", object{"cluster": a.cluster, "containerInstances": list{a.arn}}), "containerInstances", 0).(object)
	return i
}

// refusedAs is the code of an error of the API, "" if it is none.
func refusedAs(err error) string {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code
	}
	return ""
}

func TestRegistration(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		i := a.instance()
		w.want("connected", i["agentConnected"], true)
		w.want("its version, of ACS's URL", dig(i, "versionInfo", "agentVersion"), "1.105.1")
		w.want("its hash", dig(i, "versionInfo", "agentHash"), "a8b3e7d3")
		w.want("Docker's version", dig(i, "versionInfo", "dockerVersion"), "DockerVersion: 20.10.24+dfsg1")
		w.want("tag", dig(w.root.ecs("ListTagsForResource", object{"resourceArn": a.arn}), "tags", 0, "value"), "r1")
		resources := map[string]any{}
		for _, r := range i["registeredResources"].(list) {
			resources[text(dig(r, "name"))] = r
		}
		w.want("CPU", dig(resources["CPU"], "integerValue"), 4096)
		w.want("MEMORY", dig(resources["MEMORY"], "integerValue"), 7976)
		w.want("PORTS", dig(resources["PORTS"], "stringSetValue"), list{"22", "2375", "2376", "51678", "51679"})

		before := a.arn
		a.acs.leave()
		a.register() // after a restart, from its checkpoint; the version may be another
		w.want("the instance that it was", a.arn, before)
		a.arn = ""
		a.register() // the checkpoint was not written in time: the token tells
		w.want("the instance of the token", a.arn, before)
		w.want("instances", len(w.root.ecs("ListContainerInstances", object{"cluster": cluster})["containerInstanceArns"].(list)), 1)

		in := a.registration()
		in["containerInstanceArn"] = strings.Replace(a.arn, "/"+cluster+"/", "/"+cluster+"/0000", 1)[:len(a.arn)]
		_, err := a.try("ecs", "RegisterContainerInstance", in)
		w.want("an instance that is gone: the agent exits with 5", refusedAs(err), "InvalidParameterException")
	})
}

// On EC2 the agent sends the identity document, and reads its zone from the answer's attributes.
func TestRegistrationOnEC2(t *testing.T) {
	inWorld(t, func(w *world) {
		a := &agent{caller: w.node, cluster: cluster}
		in := a.registration()
		in["instanceIdentityDocument"] = `{"instanceId":"i-0123456789abcdef0","availabilityZone":"us-east-1b","instanceType":"m5.large","imageId":"ami-1","region":"us-east-1"}`
		in["instanceIdentityDocumentSignature"] = "c2lnbmF0dXJl"
		in["platformDevices"] = list{object{"id": "GPU-1", "type": "GPU"}}
		out := a.ecs("RegisterContainerInstance", in)
		zone := ""
		for _, x := range dig(out, "containerInstance", "attributes").(list) {
			if text(dig(x, "name")) == "ecs.availability-zone" {
				zone = text(dig(x, "value"))
			}
		}
		w.want("zone", zone, "us-east-1b")
		w.want("EC2's id", dig(out, "containerInstance", "ec2InstanceId"), "i-0123456789abcdef0")
	})
}

// Without ECS_CLUSTER the agent registers to "default", which its registration makes; a cluster that is named must be there.
func TestClusters(t *testing.T) {
	inWorld(t, func(w *world) {
		a := &agent{caller: w.node, cluster: "nowhere"}
		_, err := a.try("ecs", "RegisterContainerInstance", a.registration())
		w.want("a cluster that is not there", refusedAs(err), "ClusterNotFoundException")
		w.want("clusters", w.root.ecs("ListClusters", object{})["clusterArns"], list{})
		a.cluster = cluster
		a.register()
		a.connect()
		w.want("connected", a.instance()["agentConnected"], true)
	})
}

// Connections that are refused are refused before they are websockets, in the short form, or the agent would come back at once.
func TestRefusedConnections(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		acs, tcs := a.endpoints()
		q := func(member, arn string) url.Values { return url.Values{member: {arn}, "agentVersion": {"1.105.1"}} }
		nobody := "arn:aws:ecs:us-east-1:000000000000:container-instance/default/00000000000000000000000000000000"
		stranger := *a
		stranger.as.SecretAccessKey = "wrong"
		w.root.ecs("DeregisterContainerInstance", object{"cluster": cluster, "containerInstance": a.arn, "force": true})
		w.pass(6 * time.Second)
		if a.acs.closed() == nil {
			w.Error("the connection of a deregistered instance goes on")
		}
		for name, c := range map[string]struct {
			by                    *agent
			endpoint, member, arn string
			want                  string
		}{
			"an unknown instance":               {a, acs, "containerInstanceArn", nobody, "InvalidInstanceException"},
			"TCS of one":                        {a, tcs, "containerInstance", nobody, "InvalidInstanceException"},
			"deregistered: it waits an hour":    {a, acs, "containerInstanceArn", a.arn, "InactiveInstanceException"},
			"TCS of a deregistered one":         {a, tcs, "containerInstance", a.arn, "InactiveInstanceException"},
			"keys that nobody knows":            {&stranger, acs, "containerInstanceArn", a.arn, "AccessDeniedException"},
			"TCS with keys that nobody knows":   {&stranger, tcs, "containerInstance", a.arn, "AccessDeniedException"},
			"an instance that is no ARN at all": {a, acs, "containerInstanceArn", "", "InvalidInstanceException"},
		} {
			if _, refused := c.by.dial(c.endpoint, q(c.member, c.arn)); !strings.HasPrefix(refused, `{"`+c.want+`":"`) {
				w.Errorf("%s is answered %q, want %s", name, refused, c.want)
			}
		}
	})
}

// Before a spot instance goes its agent drains it; its tasks go on.
func TestDraining(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		family := w.define("web", "bridge", nil, nil)
		task := w.run(family)
		a.given()
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		a.ecs("UpdateContainerInstancesState", object{"cluster": cluster, "containerInstances": list{a.arn}, "status": "DRAINING"})
		w.want("status", a.instance()["status"], "DRAINING")
		_, err := w.root.try("ecs", "RunTask", object{"cluster": cluster, "taskDefinition": family, "launchType": "EXTERNAL"})
		w.want("nothing is placed there", refusedAs(err), "InvalidParameterException") // No Container Instances were found in your cluster.
		w.wantStatus(task, "RUNNING")
		_, err = w.root.try("ecs", "DeregisterContainerInstance", object{"cluster": cluster, "containerInstance": a.arn})
		w.want("deregistered while a task runs", refusedAs(err), "InvalidParameterException")
	})
}

// Agents are updated with their machines (SEMANTICS §2.3): nobody is ever told to, and a refusal of an update says nothing to us.
func TestVersionUpdate(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		_, err := w.root.try("ecs", "UpdateContainerAgent", object{"cluster": cluster, "containerInstance": a.arn})
		w.want("UpdateContainerAgent", refusedAs(err), "NoUpdateAvailableException")
		a.acs.send("NackRequest", object{"cluster": cluster, "containerInstance": a.arn, "messageId": "x", "reason": "Updates are disabled"})
		if err := a.acs.closed(); err != nil {
			w.Errorf("a NackRequest ends the connection: %v", err)
		}
		a.acs.leave()
		endpoint, _ := a.endpoints()
		s, refused := a.dial(endpoint, url.Values{"agentHash": {"deadbeef"}, "agentVersion": {"1.106.0"}, "clusterArn": {cluster}, "containerInstanceArn": {a.arn}})
		w.want("refused", refused, "")
		s.take("TaskManifestMessage")
		w.want("the next version", dig(a.instance(), "versionInfo", "agentVersion"), "1.106.0")
	})
}

// Tags of tasks and instances are for the metadata's taskWithTags, with the node's own keys.
func TestTags(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		family := w.define("web", "bridge", nil, nil)
		out := w.root.ecs("RunTask", object{"cluster": cluster, "taskDefinition": family, "tags": list{object{"key": "team", "value": "blue"}}})
		tags := a.ecs("ListTagsForResource", object{"resourceArn": dig(out, "tasks", 0, "taskArn")})
		w.want("of the task", dig(tags, "tags", 0, "value"), "blue")
		w.want("of the instance", dig(a.ecs("ListTagsForResource", object{"resourceArn": a.arn}), "tags", 0, "key"), "rack")
	})
}

// What is not of ECS's protocol is refused at once: the agent would never answer.
func TestOursAlone(t *testing.T) {
	inWorldOf(t, true, func(w *world) {
		a := w.joined()
		family := w.define("web", "bridge", nil, nil)
		out := w.root.ecs("RunTask", object{"cluster": cluster, "taskDefinition": family, "enableExecuteCommand": true})
		task := text(dig(out, "tasks", 0, "taskArn"))
		a.given()
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING", "runtimeId": "d3adbeef"})
		began := time.Now()
		_, err := w.root.try("ecs", "ExecuteCommand", object{"cluster": cluster, "task": task, "container": "app", "command": "sh", "interactive": true})
		w.want("ExecuteCommand", refusedAs(err), "TargetNotConnectedException")
		status, said := w.root.operate("GET", "/roadstead/v1/tasks/"+task[strings.LastIndexByte(task, '/')+1:]+"/logs")
		if status != 400 || !strings.Contains(said, "with Docker") {
			w.Errorf("its logs: %d %s", status, said)
		}
		if status, said := w.root.operate("POST", "/roadstead/v1/reset"); status != 200 {
			w.Errorf("a reset: %d %s", status, said)
		}
		if took := time.Since(began); took > time.Second {
			w.Errorf("they took %v: the agent was asked", took)
		}
		if m := a.acs.look("RoadsteadOpenExec"); m != nil {
			w.Errorf("the agent was sent %v", m)
		}
	})
}
