package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/roadstead/roadstead/client"
)

// taskRef is a task that a command was asked about.
type taskRef struct{ cluster, id string }

// beginning is what is taken for the first digits of a task's id; all 32 need no looking up.
var beginning = regexp.MustCompile(`^[0-9a-f]{4,31}$`) //nolint:gochecknoglobals // a constant

// findTask finds the task that ref means: an id, an ARN, which knows the cluster better than the flag, or the first digits of an id,
// as tables show it. Whether a whole id or ARN is that of a task is for the server to say.
func findTask(ctx context.Context, c *client.Client, cluster, ref string) (taskRef, error) {
	if own, ok := clusterOf(ref); ok {
		cluster = own
	}
	ref = last(ref)
	if !beginning.MatchString(ref) {
		return taskRef{cluster, ref}, nil
	}
	found, err := tasksLike(ctx, c, cluster, ref)
	switch {
	case err != nil:
		return taskRef{}, err
	case len(found) == 0:
		return taskRef{}, fmt.Errorf("no task's id in cluster %s begins with %s: look at `roadstead ps --all`, or name its --cluster", cluster, ref)
	case len(found) > 1:
		return taskRef{}, fmt.Errorf("%s may be any of %d tasks in cluster %s, say more of its id:\n  %s", ref, len(found), cluster, strings.Join(found, "\n  "))
	}
	return taskRef{cluster, found[0]}, nil
}

// tasksLike are the ids that begin so, of tasks that have stopped, too.
func tasksLike(ctx context.Context, c *client.Client, cluster, start string) ([]string, error) {
	var found []string
	for _, desired := range []string{"RUNNING", "STOPPED"} {
		arns, err := listAll(ctx, c, "ListTasks", "taskArns", map[string]any{"cluster": cluster, "desiredStatus": desired})
		if err != nil {
			return nil, err
		}
		for _, arn := range arns {
			if id := last(arn); strings.HasPrefix(id, start) {
				found = append(found, id)
			}
		}
	}
	return found, nil
}

// clusterOf is the cluster that the ARN of a task or service names; ARNs of the short kind name none.
func clusterOf(arn string) (string, bool) {
	if !strings.HasPrefix(arn, "arn:") {
		return "", false
	}
	parts := strings.Split(arn[strings.LastIndex(arn, ":")+1:], "/")
	if len(parts) != 3 {
		return "", false
	}
	return parts[1], true
}
