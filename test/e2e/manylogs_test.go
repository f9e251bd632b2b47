//go:build e2e

package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

var manyLogs = flag.Int("e2e.logs", 16, "MiB of log lines that one container writes while server and agent are killed")

// TestManyLogs has a container write as fast as it can, and end, while server and agent are killed: each line is there once, and all are in
// order.
func TestManyLogs(t *testing.T) {
	e := NewPair(t)
	c := e.container("c", fmt.Sprint("lines=", *manyLogs))
	c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
		"awslogs-group": "/e2e", "awslogs-region": region, "awslogs-stream-prefix": "p", "awslogs-create-group": "true",
		"mode": "blocking", // it writes faster than lines are sent, and what does not fit on the node would be lost
	}}
	began := time.Now()
	task := e.RunTask(e.Define("many", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone}, c))
	lines := *manyLogs << 20 / 128
	all := int64(lines) * 127 // without ends of lines
	pause := func(d time.Duration) { <-time.NewTimer(d).C }
	for round, kill := range []func(){
		func() { e.Server.Kill9(); pause(time.Second); e.Server.again() },
		func() { e.Agent.Kill9(); e.Agent.again() },
		func() { e.Agent.Kill9(); e.Server.Kill9(); e.Server.again(); e.Agent.again() },
		func() { e.Server.Kill9(); e.Server.again() },
	} {
		had := e.awaitStored(all * int64(round+1) / 8)
		kill()
		t.Logf("round %d: killed after %d of %d bytes", round, had, all)
	}
	e.awaitStored(all)
	t.Logf("%d MiB in %s", *manyLogs, time.Since(began).Round(time.Second))
	e.AwaitStatus(task, "STOPPED")
	n := 0
	var token *string
	for client := e.logs(); ; {
		out, err := client.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String("/e2e"), LogStreamName: aws.String("p/c/" + id(task)), StartFromHead: aws.Bool(true), NextToken: token,
		})
		must(t, err)
		for _, l := range out.Events {
			if want := fmt.Sprintf("%010d ", n); !strings.HasPrefix(*l.Message, want) || len(*l.Message) != 127 {
				t.Fatalf("event %d is %q", n, *l.Message)
			}
			n++
		}
		if token = out.NextForwardToken; len(out.Events) == 0 {
			break
		}
	}
	if n != lines {
		t.Errorf("%d events of %d lines", n, lines)
	}
}

// awaitStored waits until the group has so many bytes of messages and returns how many they are.
func (e *Env) awaitStored(least int64) (n int64) {
	e.t.Helper()
	poll(e.t, 2*time.Minute+time.Duration(*manyLogs)*time.Second, func(ctx context.Context) error {
		out, err := e.logs().DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/e2e")})
		if err == nil && len(out.LogGroups) > 0 {
			n = *out.LogGroups[0].StoredBytes
		}
		if n < least {
			return errAgain(fmt.Sprintf("%d bytes, want %d: %v", n, least, err))
		}
		return nil
	})
	return n
}

func (e *Env) logs() *cloudwatchlogs.Client {
	return cloudwatchlogs.New(cloudwatchlogs.Options{
		Region: region, BaseEndpoint: aws.String(e.URL), Retryer: aws.NopRetryer{}, HTTPClient: e.http,
		Credentials: credentials.NewStaticCredentialsProvider(key, e.secret, ""),
	})
}
