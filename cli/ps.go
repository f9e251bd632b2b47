package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

func newPs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List tasks, newest first, or nodes",
		Long: `List tasks, newest first, or nodes, or what the containers of tasks use. At a terminal that is too narrow, ids are cut to what tells
them apart, and columns are left out; roadstead logs, exec and explain take ids that are cut. Piped, everything is there.`,
		Example: `  roadstead ps
  roadstead ps --all --cluster prod
  roadstead ps --nodes
  roadstead ps --stats`,
		Args: cobra.NoArgs,
	}
	connect := connectFlags(cmd)
	cluster := cmd.Flags().String("cluster", "default", "cluster to look at")
	all := cmd.Flags().BoolP("all", "a", false, "stopped tasks, too")
	nodes := cmd.Flags().Bool("nodes", false, "nodes instead of tasks")
	stats := cmd.Flags().Bool("stats", false, "what the containers of running tasks use")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		if *nodes {
			return printNodes(cmd.Context(), c, *cluster, cmd.OutOrStdout())
		}
		if *stats {
			return printUsage(cmd.Context(), c, *cluster, cmd.OutOrStdout())
		}
		return printTasks(cmd.Context(), c, *cluster, *all, cmd.OutOrStdout())
	}
	return cmd
}

// task is what ps shows of DescribeTasks.
type taskView struct {
	TaskArn           string  `json:"taskArn"`
	TaskDefinitionArn string  `json:"taskDefinitionArn"`
	InstanceArn       string  `json:"containerInstanceArn"`
	LastStatus        string  `json:"lastStatus"`
	DesiredStatus     string  `json:"desiredStatus"`
	StoppedReason     string  `json:"stoppedReason"`
	CreatedAt         float64 `json:"createdAt"`
	pulls             []acs.Pull
	StartedAt         float64 `json:"startedAt"`
	Containers        []struct {
		Name     string `json:"name"`
		ExitCode *int   `json:"exitCode"`
		Reason   string `json:"reason"`
		Bindings []struct {
			BindIP        string `json:"bindIP"`
			ContainerPort int    `json:"containerPort"`
			HostPort      int    `json:"hostPort"`
			Protocol      string `json:"protocol"`
		} `json:"networkBindings"`
		Interfaces []struct {
			Address string `json:"privateIpv4Address"`
		} `json:"networkInterfaces"`
	} `json:"containers"`
}

// listAll calls a List operation until there is no next page, and returns the ARNs.
func listAll(ctx context.Context, c *client.Client, op, member string, in map[string]any) ([]string, error) {
	var arns []string
	for {
		var page map[string]any
		if err := c.Call(ctx, "ecs", op, in, &page); err != nil {
			return nil, err
		}
		items, _ := page[member].([]any)
		for _, x := range items {
			if arn, ok := x.(string); ok {
				arns = append(arns, arn)
			}
		}
		next, _ := page["nextToken"].(string)
		if next == "" {
			return arns, nil
		}
		in["nextToken"] = next
	}
}

func printTasks(ctx context.Context, c *client.Client, cluster string, all bool, out io.Writer) error {
	arns, err := listAll(ctx, c, "ListTasks", "taskArns", map[string]any{"cluster": cluster})
	if err == nil && all {
		var stopped []string
		stopped, err = listAll(ctx, c, "ListTasks", "taskArns", map[string]any{"cluster": cluster, "desiredStatus": "STOPPED"})
		arns = append(arns, stopped...)
	}
	if err != nil {
		return err
	}
	var tasks []taskView
	for chunk := range slices.Chunk(arns, 100) {
		var page struct {
			Tasks []taskView `json:"tasks"`
		}
		if err := c.Call(ctx, "ecs", "DescribeTasks", map[string]any{"cluster": cluster, "tasks": chunk}, &page); err != nil {
			return err
		}
		tasks = append(tasks, page.Tasks...)
	}
	if len(tasks) == 0 {
		fmt.Fprintf(out, "No tasks in cluster %s. Run one with `aws ecs run-task`, or look at stopped ones with --all.\n", cluster)
		return nil
	}
	slices.SortFunc(tasks, func(a, b taskView) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) })
	if err := addPulls(ctx, c, cluster, tasks); err != nil {
		return err
	}
	w := table{columns: []column{{title: "TASK", ids: true}, {title: "DEFINITION"}, {title: "STATUS"}, {title: "AGE"}, {title: "NODE", yields: 1},
		{title: "ADDRESS"}, {title: "NOTE", loose: true}}}
	for i := range tasks {
		t := &tasks[i]
		w.add(last(t.TaskArn), last(t.TaskDefinitionArn), t.status(), age(t.CreatedAt), short(last(t.InstanceArn)), t.address(), t.note())
	}
	return w.print(out, screenWidth(out))
}

// status shows where a task is, and where it goes if that is elsewhere.
func (t *taskView) status() string {
	if t.DesiredStatus == "STOPPED" && t.LastStatus != "STOPPED" {
		return t.LastStatus + " -> STOPPED"
	}
	return t.LastStatus
}

func (t *taskView) address() string {
	var at []string
	for _, c := range t.Containers {
		for _, b := range c.Bindings {
			at = append(at, fmt.Sprintf("%d->%d/%s", b.HostPort, b.ContainerPort, b.Protocol))
		}
		for _, i := range c.Interfaces {
			if i.Address != "" && !slices.Contains(at, i.Address) {
				at = append(at, i.Address)
			}
		}
	}
	return cmp.Or(strings.Join(at, " "), "-")
}

func (t *taskView) note() string {
	var notes []string
	for _, p := range t.pulls {
		notes = append(notes, fmt.Sprintf("%s pulls %s of %s", p.Container, size(float64(p.Done)), size(float64(p.Total))))
	}
	for _, c := range t.Containers {
		if c.ExitCode != nil {
			notes = append(notes, fmt.Sprintf("%s exit %d", c.Name, *c.ExitCode))
		}
		if c.Reason != "" && !strings.Contains(t.StoppedReason, c.Reason) {
			notes = append(notes, c.Reason)
		}
	}
	if t.StoppedReason != "" {
		notes = append(notes, t.StoppedReason)
	}
	return strings.Join(notes, "; ")
}

func printNodes(ctx context.Context, c *client.Client, cluster string, out io.Writer) error {
	arns, err := listAll(ctx, c, "ListContainerInstances", "containerInstanceArns", map[string]any{"cluster": cluster})
	if err != nil {
		return err
	}
	if len(arns) == 0 {
		fmt.Fprintf(out, "No nodes in cluster %s. Join one with `roadstead agent --token \"$(roadstead token create)\"`.\n", cluster)
		return nil
	}
	w := table{columns: []column{{title: "NODE"}, {title: "INSTANCE", yields: 1}, {title: "ZONE", yields: 2}, {title: "STATUS"}, {title: "AGENT"},
		{title: "TASKS"}, {title: "PENDING", yields: 3}, {title: "CPU LEFT"}, {title: "MEMORY LEFT"}}}
	for chunk := range slices.Chunk(arns, 100) {
		var page struct {
			Instances []nodeView `json:"containerInstances"`
		}
		if err := c.Call(ctx, "ecs", "DescribeContainerInstances", map[string]any{"cluster": cluster, "containerInstances": chunk}, &page); err != nil {
			return err
		}
		for _, n := range page.Instances {
			agent := "connected"
			if !n.AgentConnected {
				agent = "AWAY"
			}
			w.add(n.attribute("roadstead.node"), short(last(n.Arn)), n.attribute("ecs.availability-zone"), n.Status, agent,
				fmt.Sprint(n.Running), fmt.Sprint(n.Pending), fmt.Sprintf("%d of %d", amount(n.Remaining, "CPU"), amount(n.Registered, "CPU")),
				fmt.Sprintf("%d of %d MiB", amount(n.Remaining, "MEMORY"), amount(n.Registered, "MEMORY")))
		}
	}
	return w.print(out, screenWidth(out))
}

type nodeView struct {
	Arn            string `json:"containerInstanceArn"`
	Status         string `json:"status"`
	AgentConnected bool   `json:"agentConnected"`
	Running        int    `json:"runningTasksCount"`
	Pending        int    `json:"pendingTasksCount"`
	Attributes     []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"attributes"`
	Registered []resourceView `json:"registeredResources"`
	Remaining  []resourceView `json:"remainingResources"`
}

type resourceView struct {
	Name  string `json:"name"`
	Value int64  `json:"integerValue"`
}

func (n *nodeView) attribute(name string) string {
	for _, a := range n.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return "-"
}

func amount(rs []resourceView, name string) int64 {
	for _, r := range rs {
		if r.Name == name {
			return r.Value
		}
	}
	return 0
}

// last is the last segment of an ARN.
func last(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// short is enough of an instance's id, which is random, to tell it from others.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return cmp.Or(id, "-")
}

// age is the time since a moment in epoch seconds, in its largest unit.
func age(at float64) string {
	d := time.Since(time.UnixMilli(int64(at * 1000)))
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
