package access

import (
	"strings"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
)

// A node writes with its own key what the containers of tasks without an execution role write to the log driver awslogs, and what is left
// of tasks that are over. It may do so in the streams of the tasks that it runs, and in no others.

// nodeLogs refuses a node's call to CloudWatch Logs that is not about a stream of its tasks, or about the group that one of them wants to
// have made. A stream that is named after a task of which there is no row any more may be written as far as it is there: a node that was
// away for long has lines of such tasks, and nobody makes up the id of one.
func (d *decider) nodeLogs() error {
	group, stream := d.one("logGroupName", "logGroupIdentifier"), d.one("logStreamName")
	if arn, ok := model.ParseARN(group); ok {
		group = strings.TrimSuffix(strings.TrimPrefix(arn.Tail, "log-group:"), ":*")
	}
	if id := taskIn(stream); id != "" {
		switch task := d.taskCalled(id); {
		case task != nil && d.mine(task) && d.logs(task, group, stream):
			return nil
		case task == nil && (d.Operation == "PutLogEvents" || d.Operation == "GetLogEvents"):
			return nil
		}
	}
	for i := range d.tables.Instances.Prefix(d.Principal.Scope().Key("")) {
		if i.NodeKey != d.Principal.AccessKeyID {
			continue
		}
		for task := range d.tables.TasksOn(i.Key()) {
			if d.logs(task, group, stream) {
				return nil
			}
		}
		for task := range d.tables.TasksOf(i.Scope, i.Cluster) { // those that are over, for a stream with a name of its own
			if stream != "" && task.Instance == i.ID && d.logs(task, group, stream) {
				return nil
			}
		}
	}
	return auth.Denied(d.Principal, d.op.Action, d.targets()[0].arn)
}

// taskIn is the id of a task after which a stream is named, PREFIX/CONTAINER/TASK or TASK-CONTAINER; "" if it may be none.
func taskIn(stream string) string {
	const digits = 32
	id := stream[strings.LastIndexByte(stream, '/')+1:]
	if len(id) > digits && id[digits] == '-' {
		id = id[:digits]
	}
	if len(id) != digits || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return id
}

// taskCalled is the task of the caller's account with the id, nil if there is none.
func (d *decider) taskCalled(id string) *model.Task {
	s := d.Principal.Scope()
	for c := range d.tables.Clusters.Prefix(s.Key("")) {
		if t, ok := d.tables.Tasks.Get(model.TaskKey(s, c.Name, id)); ok {
			return t
		}
	}
	return nil
}

// mine says whether the calling node runs the task.
func (d *decider) mine(t *model.Task) bool {
	i, ok := d.tables.Instances.Get(t.InstanceKey())
	return ok && i.NodeKey == d.Principal.AccessKeyID
}

// logs says whether a container of the task writes to the stream; without one, whether it wants the group to be made.
func (d *decider) logs(t *model.Task, group, stream string) bool {
	def, ok := d.tables.Definition(t.Scope, t.Definition)
	if !ok {
		return false
	}
	for i := range def.Spec.ContainerDefinitions {
		c := &def.Spec.ContainerDefinitions[i]
		l := c.LogConfiguration
		if l == nil || l.LogDriver != "awslogs" || l.Options["awslogs-group"] != group || c.Name == nil {
			continue
		}
		switch prefix := l.Options["awslogs-stream-prefix"]; {
		case stream == "":
			if strings.EqualFold(l.Options["awslogs-create-group"], "true") {
				return true
			}
		case prefix != "":
			if stream == prefix+"/"+*c.Name+"/"+t.ID {
				return true
			}
		case stream == l.Options["awslogs-stream"], strings.HasPrefix(stream, t.ID+"-"): // else the container's id on its node
			return true
		}
	}
	return false
}
