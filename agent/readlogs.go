package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/task"
)

// readLogs answers with records of a container's local log; without a container it must be the task's only one, or the
// last records of each are returned.
func (a *Agent) readLogs(ctx context.Context, m *acs.RoadsteadReadLogs) acs.RoadsteadLogs {
	answer := acs.RoadsteadLogs{MessageID: m.MessageID, Records: []acs.LogRecord{}, Offset: m.Offset}
	id := task.ID(m.TaskArn)
	dir := filepath.Join(a.dir("engine"), "logs", id)
	files, err := os.ReadDir(dir)
	if err != nil || id == "" {
		answer.Error = fmt.Sprintf("Task %s has no logs on its node: none of its containers has started, or they were removed some time after it stopped.", id)
		return answer
	}
	for _, f := range files {
		if f.IsDir() { // a log router's
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(f.Name(), id+"-"), ".json")
		if m.Container != "" { // the file of an odd name has a hash of it
			if name = m.Container; f.Name() != task.ContainerID(id, name)+".json" {
				continue
			}
		}
		if err := readRecords(ctx, filepath.Join(dir, f.Name()), name, m, &answer); err != nil {
			answer.Error = err.Error()
			return answer
		}
	}
	return answer
}

func readRecords(ctx context.Context, path, name string, m *acs.RoadsteadReadLogs, answer *acs.RoadsteadLogs) error {
	o := logs.ReadOptions{Offset: max(m.Offset, 0)}
	if m.Offset < 0 {
		o.Tail = int(-m.Offset)
	}
	n := 0
	for e, err := range logs.Read(ctx, path, o) {
		if err != nil {
			return err
		}
		answer.Records = append(answer.Records, acs.LogRecord{Container: name, Stream: e.Stream, Time: e.Time.Format(time.RFC3339Nano), Log: e.Log})
		answer.Offset = e.Next
		if n++; n == m.Limit {
			break
		}
	}
	return nil
}
