//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// usage: what a task uses is seen from inside, in Docker's shape, and by the operator once the node has told (AGENT-PROTOCOL
// §1.3, §4.2).
func usage(t *testing.T, e *Env) {
	c := e.container("c", "eat=20", "sleep=1s", "metadata=/stats", "metadata=/task/stats", "metadata=/taskWithTags", "print=done", "onterm=bye", "wait")
	c.Memory = aws.Int32(64)
	arn := e.RunTask(e.Define("uses", ecs.RegisterTaskDefinitionInput{}, c), func(in *ecs.RunTaskInput) {
		in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("e2e")}}
	})
	log := strings.Split(e.AwaitLog(arn, "done"), "\n")
	var seen struct {
		CPU struct {
			Usage struct {
				Total int64 `json:"total_usage"`
			} `json:"cpu_usage"`
			System int64 `json:"system_cpu_usage"`
		} `json:"cpu_stats"`
		Memory struct {
			Usage int64            `json:"usage"`
			Limit int64            `json:"limit"`
			Stats map[string]int64 `json:"stats"`
		} `json:"memory_stats"`
		PIDs struct {
			Current int `json:"current"`
		} `json:"pids_stats"`
		Networks map[string]struct {
			RxBytes int64 `json:"rx_bytes"`
		} `json:"networks"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(log[1], "200 ")), &seen); err != nil {
		t.Fatalf("%v: %.500s", err, log[1])
	}
	t.Logf("%+v", seen)
	if seen.Memory.Usage < 20<<20 || seen.Memory.Usage > 64<<20 || seen.Memory.Limit != 64<<20 || len(seen.Memory.Stats) == 0 {
		t.Error("of its memory it sees something else")
	}
	if seen.CPU.Usage.Total == 0 || seen.CPU.System < seen.CPU.Usage.Total || seen.PIDs.Current == 0 || seen.Networks["eth0"].RxBytes == 0 {
		t.Error("of processor, processes or network it sees something else")
	}
	if !strings.HasPrefix(log[2], `200 {"`+id(arn)+`-c":{`) {
		t.Errorf("its task's is %.200s", log[2])
	}
	if !strings.Contains(log[3], `"TaskTags":{"team":"e2e"}`) || strings.Contains(log[3], "Errors") {
		t.Errorf("with its tags it is %s", log[3])
	}
	poll(t, patience, func(ctx context.Context) error {
		table, err := e.cli(ctx, "ps", "--stats")
		if err != nil {
			return err
		}
		for line := range strings.Lines(table) {
			if strings.HasPrefix(line, id(arn)[:12]) && strings.Contains(line, " of 64 MiB") {
				t.Log(line)
				return nil
			}
		}
		return errAgain(table)
	})
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}
