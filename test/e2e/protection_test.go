//go:build e2e

package e2e_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ownProtection: a task of every mode with a network reaches the endpoint, and gets nobody else's task there (SEMANTICS §8.11).
func ownProtection(t *testing.T, e *Env) {
	for mode, host := range map[types.NetworkMode]string{
		types.NetworkModeBridge: "169.254.170.2/", types.NetworkModeAwsvpc: "169.254.170.2/", types.NetworkModeHost: "",
	} {
		t.Run(string(mode), func(t *testing.T) {
			mine := *e
			mine.t = t
			mine.protectionIn(t, mode, host)
		})
	}
}

func (e *Env) protectionIn(t *testing.T, mode types.NetworkMode, host string) {
	var change []func(*ecs.RunTaskInput)
	if mode == types.NetworkModeAwsvpc {
		change = append(change, inVPC)
	}
	c := e.container("c", "env=ECS_AGENT_URI", "protection", `protection={"ProtectionEnabled":true,"ExpiresInMinutes":5}`, "protection={}", "metadata=/task", "print=done", "onterm=bye", "wait")
	arn := e.RunTask(e.Define("protects-"+string(mode), ecs.RegisterTaskDefinitionInput{NetworkMode: mode}, c), change...)
	log := strings.Split(e.AwaitLog(arn, "done"), "\n")
	uri := strings.TrimPrefix(log[0], "ECS_AGENT_URI=")
	if !strings.HasPrefix(uri, "http://"+host) {
		t.Errorf("it is told %s", uri)
	}
	if len(log) < 5 {
		t.Fatalf("log is %q", log)
	}
	for _, answer := range log[1:3] { // of a task without a service
		if !strings.Contains(answer, arn) {
			t.Errorf("answered %s", answer)
		}
		t.Log(answer)
	}
	if !strings.HasPrefix(log[3], "400 ") || !strings.Contains(log[3], "does not contain 'ProtectionEnabled' field") {
		t.Errorf("a body without ProtectionEnabled is answered %s", log[3])
	}
	if !strings.HasPrefix(log[4], "200 ") || !strings.Contains(log[4], `"TaskARN":"`+arn+`"`) {
		t.Errorf("its metadata is %s", log[4])
	}
	other := e.RunTask(e.Define("spies-"+string(mode), ecs.RegisterTaskDefinitionInput{}, e.container("c", "fetch="+uri+"/task-protection/v1/state", "exit=0")))
	e.AwaitStatus(other, "STOPPED")
	if got := e.Logs(other); !strings.HasPrefix(got, "404 ") {
		t.Errorf("another task that knows the id is answered %s", got)
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}
