//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestAwslogs kills server and agent while a container writes to CloudWatch Logs: each line is there once and in order, those of
// the time in which nobody took them, and the last one (SEMANTICS §13.7).
func TestAwslogs(t *testing.T) {
	e := NewPair(t)
	c := e.container("c", "tick=1ms")
	c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
		"awslogs-group": "/e2e", "awslogs-region": region, "awslogs-stream-prefix": "p", "awslogs-create-group": "true",
	}}
	task := e.RunTask(e.Define("chatty", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c))
	e.AwaitStatus(task, "RUNNING")
	e.awaitEvents(task, 500)
	pause := func(d time.Duration) { <-time.NewTimer(d).C }
	for round, kill := range []func(){
		func() { e.Server.Kill9(); pause(3 * time.Second); e.Server.again() },
		func() { e.Agent.Kill9(); pause(time.Second); e.Agent.again() },
		func() {
			e.Server.Kill9()
			e.Agent.Kill9()
			pause(2 * time.Second)
			e.Agent.again()
			pause(time.Second)
			e.Server.again()
		},
		func() { e.Agent.Kill9(); e.Agent.again() },
	} {
		had := e.awaitEvents(task, 0)
		kill()
		t.Logf("round %d: had %d events, then %d", round, had, e.awaitEvents(task, had+1000))
	}
	e.AwaitNodes(1)
	e.StopTask(task)
	e.AwaitStatus(task, "STOPPED")
	b, err := os.ReadFile(filepath.Join(e.Dir, "n", "engine", "logs", id(task), id(task)+"-c.json"))
	must(t, err)
	local := strings.Split(strings.TrimSpace(string(b)), "\n")
	e.awaitEvents(task, len(local))
	sent := e.events(t.Context(), task)
	for i, line := range sent {
		if want := fmt.Sprintf("tick %d", i); line != want {
			t.Fatalf("event %d is %q, want %q: %d events", i, line, want, len(sent))
		}
	}
	if len(sent) != len(local) {
		t.Errorf("%d events, and %d lines on the node", len(sent), len(local))
	}
	t.Logf("%d lines, each once and in order", len(sent))
}

// awaitEvents waits for so many events of the task's stream and returns how many there are.
func (e *Env) awaitEvents(task string, least int) int {
	e.t.Helper()
	n := 0
	poll(e.t, patience, func(ctx context.Context) error {
		if n = len(e.events(ctx, task)); n < least {
			return errAgain(fmt.Sprintf("%d events, want %d", n, least))
		}
		return nil
	})
	return n
}

// events reads the task's stream; nothing while it cannot be read.
func (e *Env) events(ctx context.Context, task string) []string {
	client := e.logs()
	var lines []string
	var token *string
	for {
		out, err := client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("/e2e"), LogStreamName: aws.String("p/c/" + id(task)), StartFromHead: aws.Bool(true), NextToken: token,
		})
		if err != nil {
			return nil
		}
		if len(out.Events) == 0 {
			return lines
		}
		for _, l := range out.Events {
			lines = append(lines, *l.Message)
		}
		token = out.NextForwardToken
	}
}
