package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

func newLogs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs TASK",
		Short: "Print what a task's containers wrote, from its node",
		Example: `  roadstead logs 0123456789abcdef0123456789abcdef
  roadstead logs TASK --container web --tail 20 --follow`,
		Args: cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	f := cmd.Flags()
	cluster := f.String("cluster", "default", "cluster of the task")
	container := f.String("container", "", "one container (default: all)")
	tail := f.Int("tail", 0, "only the last so many records (default: all)")
	follow := f.BoolP("follow", "f", false, "wait for more")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		names := []string{*container}
		if *container == "" {
			if names, err = containersOf(cmd.Context(), c, *cluster, last(args[0])); err != nil {
				return err
			}
		}
		if *follow && len(names) > 1 {
			return fmt.Errorf("--follow needs --container, one of %s: each container has a log of its own", strings.Join(names, ", "))
		}
		for _, name := range names {
			if err := printLog(cmd, c, logWish{task: last(args[0]), cluster: *cluster, container: name, tail: *tail, follow: *follow}); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// containersOf are the names of a task's containers.
func containersOf(ctx context.Context, c *client.Client, cluster, task string) (names []string, err error) {
	var out struct {
		Tasks []struct {
			Containers []struct {
				Name string `json:"name"`
			} `json:"containers"`
		} `json:"tasks"`
	}
	if err := c.Call(ctx, "ecs", "DescribeTasks", map[string]any{"cluster": cluster, "tasks": []string{task}}, &out); err != nil {
		return nil, err
	}
	if len(out.Tasks) == 0 {
		return nil, fmt.Errorf("there is no task %s in cluster %s: look at `roadstead ps`", task, cluster)
	}
	for _, x := range out.Tasks[0].Containers {
		names = append(names, x.Name)
	}
	return names, nil
}

// logWish says which log is printed, and how much of it.
type logWish struct {
	task, cluster, container string
	tail                     int // 0 for all
	follow                   bool
}

// printLog prints a container's log, page by page.
func printLog(cmd *cobra.Command, c *client.Client, l logWish) error {
	q := url.Values{"cluster": {l.cluster}, "container": {l.container}}
	if l.tail > 0 {
		q.Set("offset", strconv.Itoa(-l.tail))
	}
	for {
		var page struct {
			Records []acs.LogRecord `json:"records"`
			Offset  int64           `json:"offset"`
			Stopped bool            `json:"stopped"`
		}
		if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/tasks/"+url.PathEscape(l.task)+"/logs?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		for _, r := range page.Records {
			w := cmd.OutOrStdout()
			if r.Stream == "stderr" {
				w = cmd.ErrOrStderr()
			}
			fmt.Fprint(w, r.Log)
		}
		if len(page.Records) == 0 {
			if !l.follow || page.Stopped {
				return nil
			}
			if err := pause(cmd.Context(), 500*time.Millisecond); err != nil {
				return nil // interrupted: not a failure
			}
		}
		q.Set("offset", strconv.FormatInt(page.Offset, 10))
	}
}
