package agent

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/logs"
	"github.com/roadstead/roadstead/agent/task"
)

// Where lines go, and what is told of their container, follows from the driver and its options (SEMANTICS §13.7).
func TestLogDestination(t *testing.T) {
	spec := func(driver string, options map[string]string) *task.ContainerSpec {
		return &task.ContainerSpec{
			ID: "t1-web", TaskID: "t1", Name: "web", Image: "nginx:1", LogPath: filepath.Join(t.TempDir(), "t1-web.json"),
			Environment: map[string]string{"STAGE": "prod", "PASSWORD": "sesame"}, Labels: map[string]string{"team": "a", task.LabelDigest: "sha256:1"},
			Task:       acs.Task{Arn: "arn:aws:ecs:us-east-1:000000000000:task/prod/t1", Family: "web", Version: "7"},
			HostConfig: acs.HostConfig{LogConfig: acs.LogConfig{Type: driver, Config: options}},
		}
	}
	for name, c := range map[string]struct {
		spec   *task.ContainerSpec
		sends  bool
		stream string // of awslogs
		driver string
		extra  map[string]string
	}{
		"no driver":          {spec("", nil), false, "", "", nil},
		"json-file":          {spec("json-file", map[string]string{"env": "STAGE"}), false, "", "", nil},
		"awslogs":            {spec("awslogs", map[string]string{"awslogs-group": "g"}), true, "t1-web", "", nil},
		"awslogs with a tag": {spec("awslogs", map[string]string{"awslogs-group": "g", "tag": "{{.Name}}"}), true, "ecs-web-7-web-t1", "", nil},
		"awslogs, named":     {spec("awslogs", map[string]string{"awslogs-group": "g", "tag": "x", "awslogs-stream": "s"}), true, "s", "", nil},
		"syslog":             {spec("syslog", nil), true, "", "syslog", map[string]string{}},
		"fluentd with details": {spec("fluentd", map[string]string{"env": "STAGE,IMAGE", "labels-regex": "^te|^of"}), true, "", "fluentd",
			map[string]string{"STAGE": "prod", "IMAGE": "yes", "team": "a", "of": "image"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, sends, err := destination(c.spec, func() (env, labels map[string]string, err error) {
				return map[string]string{"STAGE": "image", "IMAGE": "yes"}, map[string]string{"team": "image", "of": "image"}, nil
			})
			if err != nil || sends != c.sends || d.Stream != c.stream {
				t.Fatalf("%+v %t %v", d, sends, err)
			}
			if r := d.Receiver; (r != nil) != (c.driver != "") || r != nil && (r.Driver != c.driver || !maps.Equal(r.Facts.Extra, c.extra) ||
				r.Facts.ID != "t1-web" || r.Facts.Name != "ecs-web-7-web-t1" || r.Facts.ImageID != "sha256:1") {
				t.Errorf("receiver %+v", r)
			}
		})
	}
}

// The keeper is told how much of a log is kept, and of one that is sent how much may wait.
func TestLogLimits(t *testing.T) {
	for driver, c := range map[string]struct {
		options map[string]string
		sends   bool
		want    logs.Limits
	}{
		"json-file": {map[string]string{"max-size": "1m", "max-file": "3"}, false, logs.Limits{Keep: 3 << 20}},
		"awslogs":   {map[string]string{"mode": "blocking", "cache-max-size": "1m"}, true, logs.Limits{Sent: "/sent", Keep: 5 << 20, Backlog: 5 << 20, Blocking: true}},
	} {
		dir := t.TempDir()
		spec := &task.ContainerSpec{LogPath: filepath.Join(dir, "c.json"), HostConfig: acs.HostConfig{LogConfig: acs.LogConfig{Type: driver, Config: c.options}}}
		if err := setLimits(spec, "/sent", c.sends); err != nil {
			t.Fatal(err)
		}
		var got logs.Limits
		b, err := os.ReadFile(filepath.Join(dir, "limits", "c.json"))
		if err != nil || json.Unmarshal(b, &got) != nil || got != c.want {
			t.Errorf("%s: %s %v", driver, b, err)
		}
	}
}
