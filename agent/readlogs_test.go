package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// writeLog writes n records of a container, as the log keeper does.
func writeLog(t *testing.T, a *Agent, container string, n int) {
	t.Helper()
	path := filepath.Join(a.dir("engine"), "logs", "t1", task.ContainerID("t1", container)+".json")
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"log":"%d\n","stream":"stdout","time":"2026-01-02T03:04:0%dZ"}`+"\n", i, i)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestReadLogs(t *testing.T) {
	const odd = "a_name..that is no id"
	a := &Agent{cfg: Config{DataDir: t.TempDir()}}
	writeLog(t, a, "app", 5)
	writeLog(t, a, odd, 1)
	record := len(`{"log":"0\n","stream":"stdout","time":"2026-01-02T03:04:00Z"}` + "\n")
	for _, c := range []struct {
		name string
		ask  acs.RoadsteadReadLogs
		want string // logs, and where to read on
	}{
		{"all", acs.RoadsteadReadLogs{Container: "app"}, fmt.Sprint("0 1 2 3 4 @", 5*record)},
		{"some", acs.RoadsteadReadLogs{Container: "app", Limit: 2}, fmt.Sprint("0 1 @", 2*record)},
		{"going on", acs.RoadsteadReadLogs{Container: "app", Offset: int64(2 * record), Limit: 2}, fmt.Sprint("2 3 @", 4*record)},
		{"nothing new", acs.RoadsteadReadLogs{Container: "app", Offset: int64(5 * record)}, fmt.Sprint(" @", 5*record)},
		{"the last", acs.RoadsteadReadLogs{Container: "app", Offset: -2}, fmt.Sprint("3 4 @", 5*record)},
		{"a container with an odd name", acs.RoadsteadReadLogs{Container: odd}, fmt.Sprint("0 @", record)},
		{"one that is not there", acs.RoadsteadReadLogs{Container: "ap"}, " @0"},
	} {
		c.ask.MessageID, c.ask.TaskArn = "m1", "arn:aws:ecs:us-east-1:000000000000:task/c/t1"
		got := a.readLogs(t.Context(), &c.ask)
		var logs []string
		for _, r := range got.Records {
			logs = append(logs, strings.TrimSpace(r.Log))
			want(t, c.name+": container", r.Container, c.ask.Container)
		}
		want(t, c.name, fmt.Sprint(strings.Join(logs, " "), " @", got.Offset), c.want)
		want(t, c.name+": answer to", got.MessageID, "m1")
		want(t, c.name+": error", got.Error, "")
	}
	both := a.readLogs(t.Context(), &acs.RoadsteadReadLogs{TaskArn: "task/c/t1"})
	want(t, "records of all containers", len(both.Records), 6)
	for _, arn := range []string{"task/c/other", "", "task/"} {
		if got := a.readLogs(t.Context(), &acs.RoadsteadReadLogs{TaskArn: arn}); got.Error == "" {
			t.Errorf("logs of %q: %+v", arn, got)
		}
	}
}
