package sim_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/test/fleet"
)

// definitions are the task definitions that storms choose from. What becomes of their tasks is in lives.
func definitions() []map[string]any {
	one := func(family string, more map[string]any) map[string]any {
		c := map[string]any{"name": "app", "image": "app:1", "cpu": 64, "memory": 128, "essential": true}
		d := map[string]any{"family": family, "networkMode": "bridge", "containerDefinitions": []any{c}}
		for k, v := range more {
			if _, ok := map[string]bool{"networkMode": true, "containerDefinitions": true}[k]; ok {
				d[k] = v
			} else {
				c[k] = v
			}
		}
		return d
	}
	return []map[string]any{
		one("web", map[string]any{"portMappings": []any{map[string]any{"containerPort": 80}}}),
		one("job", nil), one("crash", nil), one("broken", nil), one("slow", nil), one("stubborn", nil),
		one("big", map[string]any{"cpu": 900, "memory": 1800}),
		one("ports", map[string]any{"portMappings": []any{map[string]any{"containerPort": 80, "hostPort": 8080},
			map[string]any{"containerPort": 53, "hostPort": 8080, "protocol": "udp"}}}),
		one("checked", map[string]any{"healthCheck": map[string]any{"command": []string{"CMD", "true"}}}),
		one("sickly", map[string]any{"healthCheck": map[string]any{"command": []string{"CMD", "true"}}}),
		one("vpc", map[string]any{"networkMode": "awsvpc"}),
		{"family": "fargate", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": []string{"FARGATE"},
			"containerDefinitions": []any{map[string]any{"name": "app", "image": "app:1", "essential": true}}},
		one("gpu", map[string]any{"resourceRequirements": []any{map[string]any{"type": "GPU", "value": "1"}}}),
		one("pair", map[string]any{"containerDefinitions": []any{
			map[string]any{"name": "app", "image": "app:1", "cpu": 32, "memory": 64, "essential": true},
			map[string]any{"name": "side", "image": "side:1", "cpu": 32, "memory": 64, "essential": false}}}),
	}
}

func families() []string {
	var out []string
	for _, d := range definitions() {
		out = append(out, d["family"].(string))
	}
	return out
}

// lives says what becomes of a task, by its family.
func lives(a *acs.Task, r *rand.Rand) fleet.Life {
	some := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) + time.Millisecond }
	life := fleet.Life{Start: some(2 * time.Second), Stop: some(time.Second), Release: some(300 * time.Millisecond)}
	switch a.Family {
	case "job":
		life.Run = some(time.Minute)
	case "crash":
		life.Run, life.ExitCode = some(3*time.Second), 1
	case "broken":
		life.Failure = "CannotPullContainerError: pull app:1: not found"
	case "slow":
		life.Start = time.Minute + some(time.Minute)
	case "stubborn":
		life.Stop = 30 * time.Second
	case "checked":
		life.Healthy = some(20 * time.Second)
		if r.IntN(10) == 0 {
			life.Sick = some(20 * time.Minute)
		}
	case "sickly":
		life.Sick = time.Millisecond
	case "pair":
		life.Run, life.ExitCode = some(10*time.Minute), 3
	}
	return life
}

// caller is a user of the API, through one member.
type caller struct {
	w         *world
	name      string
	client    *client.Client // repeats what failed
	once      *client.Client // does not
	transport *http.Transport
}

func newCaller(w *world, name, endpoint string) *caller {
	c := &caller{w: w, name: name}
	c.transport = &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return w.net.dial(ctx, name, addr)
	}}
	var errs [2]error
	cfg := client.Config{Endpoint: endpoint, AccessKeyID: "test", Secret: "test", Region: region, Transport: c.transport}
	c.client, errs[0] = client.New(cfg)
	cfg.Patience = -1
	c.once, errs[1] = client.New(cfg)
	if err := errors.Join(errs[:]...); err != nil {
		w.Fatal(err)
	}
	return c
}

func (c *caller) close() { c.transport.CloseIdleConnections() }

// call makes a call that may take a minute.
func (c *caller) call(op string, in, out any) error { return c.callBy(c.client, op, in, out) }

func (c *caller) callBy(by *client.Client, op string, in, out any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.w.Context()), time.Minute)
	defer cancel()
	return by.Call(ctx, "ecs", op, in, out)
}

func (c *caller) must(op string, in, out any) {
	if err := c.call(op, in, out); err != nil {
		c.w.Fatalf("%s: %v", op, err)
	}
}

// answer is that of RunTask and StartTask.
type answer struct {
	Tasks []struct {
		TaskArn              string
		ContainerInstanceArn string
	}
	Failures []struct{ Arn, Reason, Detail string }
}

// fargate is the family of the FARGATE tasks, which know no placings.
const fargate = "fargate"

// order is a RunTask to be made.
type order struct {
	family string
	count  int
	token  string
	group  string
	how    placing
}

// run calls RunTask. With a token it repeats a call of which it does not know what became, as the SDK does; the ledger hears
// what was answered.
func (c *caller) run(o order) {
	in := map[string]any{"taskDefinition": o.family, "count": o.count, "startedBy": c.name, "group": o.group}
	if o.family == "vpc" || o.family == fargate {
		in["networkConfiguration"] = map[string]any{"awsvpcConfiguration": map[string]any{"subnets": []string{"subnet-1"}}}
	}
	if o.token != "" {
		in["clientToken"] = o.token
	}
	if o.family == fargate {
		in["launchType"] = "FARGATE"
	} else {
		maps.Copy(in, o.how.members)
	}
	var out answer
	err := c.callBy(c.once, "RunTask", in, &out)
	again := false
	for pause := time.Second; err != nil && o.token != "" && !refusal(err) && pause < time.Minute; pause *= 2 {
		<-time.After(pause)
		out, again = answer{}, true
		err = c.callBy(c.once, "RunTask", in, &out)
	}
	switch {
	case err == nil:
		c.w.ledger.answered(o, again, &out)
	case refusal(err) && !expected(err):
		c.w.ledger.breach("RunTask %v refused: %v", o, err)
	}
}

// expected reports whether a cluster under storm may refuse so.
func expected(err error) bool {
	for _, text := range []string{"No Container Instances were found in your cluster", "Tasks provisioning capacity limit exceeded"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// refusal reports whether the call was understood and refused, so that nothing has happened.
func refusal(err error) bool {
	return err != nil && slices.Contains([]string{"InvalidParameterException", "ClientException", "ClusterNotFoundException",
		"AccessDeniedException", "InvalidSignatureException", "UnsupportedFeatureException", "ConflictException"}, model.ErrorCode(err))
}

// stop calls StopTask.
func (c *caller) stop(arn string) {
	err := c.call("StopTask", map[string]string{"task": arn, "reason": "storm"}, nil)
	switch {
	case err == nil:
		c.w.ledger.stopped(arn)
	case refusal(err):
		c.w.ledger.breach("StopTask %s refused: %v", arn, err)
	}
}

// state calls UpdateContainerInstancesState; the instance may be gone.
func (c *caller) state(instance, status string) {
	var out answer
	_ = c.call("UpdateContainerInstancesState", map[string]any{"cluster": clusterOf(instance), "containerInstances": []string{instance}, "status": status}, &out)
}

// deregister calls DeregisterContainerInstance; without force it may be refused.
func (c *caller) deregister(instance string, force bool) error {
	err := c.call("DeregisterContainerInstance", map[string]any{"cluster": clusterOf(instance), "containerInstance": instance, "force": force}, nil)
	if err != nil {
		return fmt.Errorf("deregister %s: %w", instance, err)
	}
	return nil
}

// clusterOf is the cluster in an instance's ARN.
func clusterOf(instance string) string {
	a, _ := model.ParseARN(instance)
	return a.Segments()[0]
}
