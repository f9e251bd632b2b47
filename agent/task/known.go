package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/roadstead/roadstead/acs"
)

// Known reads which tasks the engine of a directory has assignments of, with the names of their containers, without disturbing an
// engine that runs there. An assignment is on disk before anything of its task is made: what is seen first, and is of no task that
// Known tells afterwards, is nobody's.
func Known(dir string) (map[string][]string, error) {
	j := &journal{dir: filepath.Join(dir, tasksDir), records: map[string]record{}}
	data, err := os.ReadFile(j.path())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := j.load(data); err != nil {
		return nil, fmt.Errorf("read %s: %w", j.path(), err)
	}
	out := map[string][]string{}
	for id, r := range j.records {
		if !r.Gone.IsZero() {
			continue
		}
		var t acs.Task
		if len(r.Task) == 0 {
			out[id] = nil
			continue
		}
		if err := json.Unmarshal(r.Task, &t); err != nil {
			return nil, fmt.Errorf("read task %s: %w", id, err)
		}
		out[id] = []string{}
		for i := range t.Containers {
			out[id] = append(out[id], t.Containers[i].Name)
		}
	}
	return out, nil
}

// Directories of an engine.
const (
	tasksDir   = "tasks"
	volumesDir = "volumes"
	logsDir    = "logs"
)

// Stray are the directories of tasks, of volumes and of logs, that belong to none of the tasks.
func Stray(dir string, known map[string][]string) ([]string, error) {
	var out []string
	for _, kind := range []string{volumesDir, logsDir} {
		all, err := os.ReadDir(filepath.Join(dir, kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, d := range all {
			if _, ok := known[d.Name()]; !ok && isID(d.Name()) {
				out = append(out, filepath.Join(dir, kind, d.Name()))
			}
		}
	}
	return out, nil
}

// isID says whether a name looks like a task's id; what is called otherwise is somebody else's.
func isID(name string) bool {
	for _, r := range name {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return len(name) == 32
}
