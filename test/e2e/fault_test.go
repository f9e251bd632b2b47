//go:build e2e

package e2e_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// faults: a task that may disturbs its own network and mends it; what it leaves is gone with it (AGENT-PROTOCOL §4.2).
func faults(t *testing.T, e *Env) {
	const hole = ` network-blackhole-port {"Port":7000,"Protocol":"tcp","TrafficType":"egress"}`
	verbs := []string{"serve=:7000", "dialed=127.0.0.1:7000", "fault=start" + hole, "fault=status" + hole, "dialed=127.0.0.1:7000",
		"fault=stop" + hole, "dialed=127.0.0.1:7000", "fault=start" + hole, "print=done", "onterm=bye", "wait"}
	for mode, change := range map[types.NetworkMode]func(*ecs.RunTaskInput){types.NetworkModeAwsvpc: inVPC, types.NetworkModeHost: func(*ecs.RunTaskInput) {}} {
		arn := e.RunTask(e.Define("faulty-"+string(mode), ecs.RegisterTaskDefinitionInput{NetworkMode: mode, EnableFaultInjection: aws.Bool(true)}, e.container("c", verbs...)), change)
		want := []string{"reached 127.0.0.1:7000", `200 {"Status":"running"}`, `200 {"Status":"running"}`, "not reached 127.0.0.1:7000",
			`200 {"Status":"stopped"}`, "reached 127.0.0.1:7000", `200 {"Status":"running"}`, "done"}
		if got := strings.TrimSpace(e.AwaitLog(arn, "done")); got != strings.Join(want, "\n") {
			t.Errorf("%s: it saw\n%s\nwant\n%s", mode, got, strings.Join(want, "\n"))
		}
		e.StopTask(arn)
		e.AwaitStatus(arn, "STOPPED")
		if out, err := exec.Command("nft", "list", "tables").Output(); err != nil || strings.Contains(string(out), id(arn)) {
			t.Errorf("%s: faults are left: %s %v", mode, out, err)
		}
	}
	arn := e.RunTask(e.Define("healthy", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, e.container("c", "fault=status"+hole, "exit=0")), inVPC)
	e.AwaitStatus(arn, "STOPPED")
	if got := e.Logs(arn); !strings.Contains(got, `400 {"Error":"enableFaultInjection is not enabled for task: `+arn+`"}`) {
		t.Errorf("a task that may not is answered %s", got)
	}
}

// TestFargateAsks: a task on FARGATE, whose network is its own user namespace's, asks for faults and for what it uses, as others do.
func TestFargateAsks(t *testing.T) {
	t.Parallel()
	e := NewPair(t, "--fargate")
	const loss = ` network-packet-loss {"LossPercent":100,"Sources":["198.51.100.0/24"]}`
	c := e.container("c", "sleep=1s", "fault=start"+loss, "fault=status network-packet-loss", "metadata=/stats", "metadata=/task", "fault=stop network-packet-loss", "print=done", "onterm=bye", "wait")
	c.Memory = nil
	def := e.Define("fargate", ecs.RegisterTaskDefinitionInput{
		NetworkMode: types.NetworkModeAwsvpc, EnableFaultInjection: aws.Bool(true), Cpu: aws.String("256"), Memory: aws.String("512"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
	}, c)
	arn := e.RunTask(def, inVPC, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeFargate })
	log := strings.Split(strings.TrimSpace(e.AwaitLog(arn, "done")), "\n")
	for i, want := range []string{`200 {"Status":"running"}`, `200 {"Status":"running"}`, `200 {"read":`, `200 {"Cluster":`, `200 {"Status":"stopped"}`, "done"} {
		if i >= len(log) || !strings.HasPrefix(log[i], want) {
			t.Fatalf("line %d is not %s:\n%s", i, want, strings.Join(log, "\n"))
		}
	}
	for _, want := range []string{`"eth0":{"rx_bytes":`, `"ClockDrift":{`, `"LaunchType":"FARGATE"`, `"FaultInjectionEnabled":true`} {
		if !strings.Contains(log[2]+log[3], want) {
			t.Errorf("it does not see %s:\n%s\n%s", want, log[2], log[3])
		}
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}
