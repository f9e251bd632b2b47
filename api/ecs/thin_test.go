package ecs_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// TestThinPath runs a task to its end.
func TestThinPath(t *testing.T) {
	s := newServer(t)
	s.instance("default", "a")
	s.define("web")
	out := s.run("web", 1)
	if len(out.Tasks) != 1 || len(out.Failures) != 0 {
		t.Fatalf("run: %+v", out)
	}
	task := *out.Tasks[0].TaskArn
	if got := *out.Tasks[0].LastStatus; got != "PENDING" {
		t.Errorf("lastStatus %s", got)
	}
	s.report(task, "RUNNING", nil)
	if got := s.describe(task); *got.LastStatus != "RUNNING" || *got.Containers[0].LastStatus != "RUNNING" || got.StartedAt == nil {
		t.Errorf("after RUNNING: %+v", got)
	}
	s.report(task, "STOPPED", aws.Int32(3))
	got := s.describe(task)
	if *got.LastStatus != "STOPPED" || *got.Containers[0].ExitCode != 3 || got.StopCode != "EssentialContainerExited" {
		t.Errorf("after STOPPED: %+v", got)
	}
}
