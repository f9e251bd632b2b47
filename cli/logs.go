package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/client"
)

func newLogs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs TASK",
		Short: "Print what a task's containers wrote, from its node",
		Long: `Print what a task's containers wrote, from its node, also for a while after it stopped. What they wrote to their standard error comes on
standard error. At a terminal, and with --follow, lines of several containers are in the order of their times and begin with their
container's name; otherwise one container comes after the other, byte by byte as it wrote. With --follow, a task that has not started is
waited for.`,
		Example: `  roadstead logs 0123456789ab
  roadstead logs TASK --follow
  roadstead logs TASK --container web --tail 20 > web.log`,
		Args: cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	f := cmd.Flags()
	cluster := f.String("cluster", "default", "cluster of the task")
	container := f.String("container", "", "one container (default: all)")
	tail := f.Int("tail", 0, "only the last so many records of each container (default: all)")
	follow := f.BoolP("follow", "f", false, "wait for more")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		task, err := findTask(cmd.Context(), c, *cluster, args[0])
		if err != nil {
			return err
		}
		names, err := containersOf(cmd.Context(), c, task)
		if err != nil {
			return err
		}
		if *container != "" {
			if !slices.Contains(names, *container) {
				return fmt.Errorf("task %s has no container %s: it has %s", task.id, *container, strings.Join(names, ", "))
			}
			names = []string{*container}
		}
		p := newLogPrinter(c, task, *tail, *follow, cmd.OutOrStdout(), cmd.ErrOrStderr())
		if len(names) > 1 && (*follow || screenWidth(cmd.OutOrStdout()) > 0) {
			p.named = true
			return p.print(cmd.Context(), names)
		}
		for _, name := range names {
			if err := p.print(cmd.Context(), []string{name}); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// containersOf are the names of a task's containers.
func containersOf(ctx context.Context, c *client.Client, task taskRef) (names []string, err error) {
	var out struct {
		Tasks []struct {
			Containers []struct {
				Name string `json:"name"`
			} `json:"containers"`
		} `json:"tasks"`
	}
	if err := c.Call(ctx, "ecs", "DescribeTasks", map[string]any{"cluster": task.cluster, "tasks": []string{task.id}}, &out); err != nil {
		return nil, err
	}
	if len(out.Tasks) == 0 {
		return nil, fmt.Errorf("there is no task %s in cluster %s: look at `roadstead ps --all`, or name its --cluster", task.id, task.cluster)
	}
	for _, x := range out.Tasks[0].Containers {
		names = append(names, x.Name)
	}
	return names, nil
}
