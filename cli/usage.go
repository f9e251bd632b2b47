package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
)

// usageView is what ps --stats shows of a task.
type usageView struct {
	Task       string `json:"task"`
	Definition string `json:"definition"`
	Instance   string `json:"instance"`
	Memory     int64  `json:"memory"`
	At         int64  `json:"at"`
	Containers []struct {
		Name     string  `json:"name"`
		CPU      float64 `json:"cpu"`
		Memory   float64 `json:"memory"`
		Network  bool    `json:"network"`
		Rx       int64   `json:"rx"`
		Tx       int64   `json:"tx"`
		RxRate   float64 `json:"rxRate"`
		TxRate   float64 `json:"txRate"`
		Read     int64   `json:"read"`
		Written  int64   `json:"written"`
		Restarts int64   `json:"restarts"`
	} `json:"containers"`
}

// printUsage lists the containers of running tasks, the busiest first.
func printUsage(ctx context.Context, c *client.Client, cluster string, out io.Writer) error {
	var page struct {
		Tasks []usageView `json:"tasks"`
	}
	if err := c.Do(ctx, "GET", "/roadstead/v1/usage?"+url.Values{"cluster": {cluster}}.Encode(), nil, &page); err != nil {
		return err
	}
	if len(page.Tasks) == 0 {
		fmt.Fprintf(out, "No tasks run in cluster %s.\n", cluster)
		return nil
	}
	return usageTable(page.Tasks, out, screenWidth(out))
}

func usageTable(tasks []usageView, out io.Writer, width int) error {
	slices.SortStableFunc(tasks, func(a, b usageView) int {
		return cmp.Or(cmp.Compare(b.cpu(), a.cpu()), cmp.Compare(a.Task, b.Task))
	})
	w := table{columns: []column{{title: "TASK", ids: true}, {title: "DEFINITION"}, {title: "NODE", yields: 6}, {title: "CONTAINER"}, {title: "CPU"},
		{title: "MEMORY"}, {title: "NET IN", yields: 1}, {title: "NET OUT", yields: 1}, {title: "DISK READ", yields: 3}, {title: "WRITTEN", yields: 3},
		{title: "RESTARTS", yields: 2}, {title: "SEEN", yields: 4}}}
	for i := range tasks {
		t := &tasks[i]
		if len(t.Containers) == 0 {
			w.add(t.Task, last(t.Definition), short(t.Instance), "-", "not heard of yet: nodes tell every 20 s")
		}
		for _, c := range t.Containers {
			memory := fmt.Sprintf("%.0f MiB", c.Memory)
			if t.Memory > 0 {
				memory = fmt.Sprintf("%.0f of %d MiB", c.Memory, t.Memory)
			}
			in, sent := "-", "-"
			if c.Network {
				in = fmt.Sprintf("%s (%s/s)", size(float64(c.Rx)), size(c.RxRate))
				sent = fmt.Sprintf("%s (%s/s)", size(float64(c.Tx)), size(c.TxRate))
			}
			w.add(t.Task, last(t.Definition), short(t.Instance), c.Name, fmt.Sprintf("%.1f %%", c.CPU), memory, in, sent,
				size(float64(c.Read)), size(float64(c.Written)), fmt.Sprint(c.Restarts), age(float64(t.At)/1000))
		}
	}
	return w.print(out, width)
}

func (t *usageView) cpu() (sum float64) {
	for _, c := range t.Containers {
		sum += c.CPU
	}
	return sum
}

// size is a number of bytes in its largest unit.
func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1000 {
			if n < 10 && unit != "B" {
				return fmt.Sprintf("%.1f %s", n, unit)
			}
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}

// addPulls notes what tasks that do not run yet wait for, if there are such tasks.
func addPulls(ctx context.Context, c *client.Client, cluster string, tasks []taskView) error {
	if !slices.ContainsFunc(tasks, func(t taskView) bool { return t.LastStatus == "PENDING" }) {
		return nil
	}
	var page struct {
		Pulls map[string][]acs.Pull `json:"pulls"`
	}
	if err := c.Do(ctx, "GET", "/roadstead/v1/pulls?"+url.Values{"cluster": {cluster}}.Encode(), nil, &page); err != nil {
		return err
	}
	for i := range tasks {
		tasks[i].pulls = page.Pulls[last(tasks[i].TaskArn)]
	}
	return nil
}
