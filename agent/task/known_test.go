package task_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

// Somebody else reads the engine's tasks while it runs, and which directories belong to none of them.
func TestKnown(t *testing.T) {
	dir := t.TempDir()
	if known, err := task.Known(dir); err != nil || len(known) != 0 {
		t.Errorf("of an engine that never was: %v, %v", known, err)
	}
	machine := tasktest.NewNode().Open(nil)
	e := task.New(task.Config{Dir: dir, Runtime: machine.Runtime, Network: machine.Network, Log: slog.New(slog.DiscardHandler),
		Report: func(context.Context, []task.Report) error { return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	const mine, other = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	if err := e.Accept(ctx, []acs.Task{{Arn: "arn:aws:ecs:r:0:task/c/" + mine, DesiredStatus: "RUNNING", Containers: []acs.Container{{Name: "a", Image: "i"}, {Name: "b", Image: "i"}}}}); err != nil {
		t.Fatal(err)
	}
	known, err := task.Known(dir)
	if err != nil || fmt.Sprint(known) != "map["+mine+":[a b]]" {
		t.Errorf("known: %v, %v", known, err)
	}
	for _, name := range []string{"volumes/" + mine, "volumes/" + other, "volumes/shared", "logs/" + other, "tasks/" + other} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stray, err := task.Stray(dir, known)
	if want := []string{filepath.Join(dir, "volumes", other), filepath.Join(dir, "logs", other)}; err != nil || fmt.Sprint(stray) != fmt.Sprint(want) {
		t.Errorf("stray: %q, %v; want %q", stray, err, want)
	}
	cancel()
	<-ended
}
