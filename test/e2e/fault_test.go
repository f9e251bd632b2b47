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
