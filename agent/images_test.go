package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

func TestCheckImages(t *testing.T) {
	var c Config
	if err := checkImages(&c); err != nil || c.PullBehavior != "default" || c.ImageHigh != 85 || c.ImageLow != 80 || c.ImageMinAge != time.Hour {
		t.Errorf("of nothing it makes %+v, %v", c, err)
	}
	low := Config{ImageHigh: 50}
	if err := checkImages(&low); err != nil || low.ImageLow != 50 {
		t.Errorf("below the usual low mark it makes %d, %v", low.ImageLow, err)
	}
	for want, bad := range map[string]Config{
		"--image-pull sometimes":              {PullBehavior: "sometimes"},
		"--image-low 90 and --image-high 80 ": {ImageHigh: 80, ImageLow: 90},
		"--image-low -1 and --image-high 85 ": {ImageLow: -1},
	} {
		if err := checkImages(&bad); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Images of a task are wanted from its assignment on until it has stopped, whether its containers were made or not.
func TestWantedImages(t *testing.T) {
	err := connected(t, func(e *task.Engine, _ func(any), _ func() any) {
		a := &Agent{}
		want(t, "without an engine", len(a.wantedImages()), 0)
		a.engine.Store(e)
		next := run("t1")
		next.Containers = append(next.Containers, acs.Container{Name: "side", Image: "side:2", DependsOn: []acs.Dependency{{ContainerName: "app", Condition: "COMPLETE"}}})
		if err := e.Accept(t.Context(), []acs.Task{next}); err != nil {
			t.Error(err)
		}
		want(t, "of a task that begins", strings.Join(a.wantedImages(), " "), "app side:2")
	})
	if err == nil {
		t.Error("it ended without a reason")
	}
}
