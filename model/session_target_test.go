package model

import (
	"strings"
	"testing"
)

// [D] A target is ecs:CLUSTER_TASK_RUNTIMEID; names may have underscores.
func TestSessionTarget(t *testing.T) {
	task := strings.Repeat("0a", 16)
	for text, want := range map[string]SessionTarget{
		"ecs:default_" + task + "_" + task + "-app": {"default", task, task + "-app"},
		"ecs:my_app_" + task + "_rt_1":              {"my_app", task, "rt_1"},
	} {
		if got, ok := ParseSessionTarget(text); !ok || got != want || got.String() != text {
			t.Errorf("%s is %+v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "i-0123456789", "ecs:default_" + task, "ecs:_" + task + "_x", "ecs:default_" + task[1:] + "_x"} {
		if got, ok := ParseSessionTarget(text); ok {
			t.Errorf("%s is %+v", text, got)
		}
	}
}
