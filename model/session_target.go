package model

import "regexp"

// SessionTarget is a container of a task as Session Manager names it: "ecs:CLUSTER_TASK_RUNTIMEID" [D].
type SessionTarget struct{ Cluster, Task, Runtime string }

func (t SessionTarget) String() string { return "ecs:" + t.Cluster + "_" + t.Task + "_" + t.Runtime }

// A cluster's name and a runtime id may have underscores of their own, a task's id is made of 32 hex digits.
var sessionTarget = regexp.MustCompile(`^ecs:(.+)_([0-9a-f]{32})_(.+)$`)

// ParseSessionTarget reads a target; ok is false if it is none.
func ParseSessionTarget(s string) (t SessionTarget, ok bool) {
	m := sessionTarget.FindStringSubmatch(s)
	if m == nil {
		return t, false
	}
	return SessionTarget{Cluster: m[1], Task: m[2], Runtime: m[3]}, true
}
