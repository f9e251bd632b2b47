package cli

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/client"
)

// isTask tells a task from a service by its id or ARN.
func isTask(ref string) bool {
	return strings.Contains(ref, ":task/") || regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(ref)
}

func explainService(cmd *cobra.Command, c *client.Client, cluster, ref string, asJSON bool) error {
	if own, ok := clusterOf(ref); ok {
		cluster = own
	}
	var s ecs.ServiceStory
	q := url.Values{"cluster": {cluster}}
	if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/services/"+url.PathEscape(last(ref))+"/explain?"+q.Encode(), nil, &s); err != nil {
		return err
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), s)
	}
	return printService(cmd.OutOrStdout(), &s)
}

// printService says in one screen what a service is doing, what it waits for, and what went wrong.
func printService(out io.Writer, s *ecs.ServiceStory) error {
	fmt.Fprintf(out, "%s (%s) is %s with %d of %d tasks running and %d on their way.\n", last(s.ServiceArn), s.Scheduling, s.Status, s.Running, s.Desired, s.Pending)
	if s.SteadySince != 0 {
		fmt.Fprintf(out, "It has been steady since %s.\n", at(s.SteadySince))
	}
	for _, reason := range s.Why {
		fmt.Fprintf(out, "  - %s\n", reason)
	}
	if s.NextLook != 0 {
		fmt.Fprintf(out, "The next thing to happen by itself is due at %s.\n", at(s.NextLook))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Deployments) > 0 {
		fmt.Fprintln(w, "\nDEPLOYMENT\tSTATUS\tROLLOUT\tDEFINITION\tRUNNING\tPENDING\tFAILED\tNEXT TRY")
		for _, d := range s.Deployments {
			retry := "-"
			if d.RetryAt != 0 {
				retry = at(d.RetryAt)
			}
			rollout := strings.TrimSpace(d.Rollout + " " + d.Stage)
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", last(d.ID), d.Status, rollout, d.TaskDefinition, d.Running, d.Pending, d.Failed, retry)
		}
	}
	if len(s.Failures) > 0 {
		fmt.Fprintln(w, "\nTASK ENDED\tAT\tDEFINITION\tWHY")
		for i := range s.Failures {
			f := &s.Failures[i]
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.TaskID, at(f.At), f.Definition, ending(f))
		}
	}
	if len(s.Messages) > 0 {
		fmt.Fprintln(w, "\nMESSAGE AT\t")
		for _, m := range s.Messages {
			fmt.Fprintf(w, "%s\t%s\n", at(m.At), m.What)
		}
	}
	return w.Flush()
}

// ending is why a task ended, with what its containers say.
func ending(f *ecs.TaskFailureStory) string {
	out := f.Why
	for _, c := range f.Containers {
		switch {
		case c.Reason != "" && !strings.Contains(out, c.Reason):
			out += " [" + c.Name + ": " + c.Reason + "]"
		case c.ExitCode != nil:
			out += fmt.Sprintf(" [%s: exit code %d]", c.Name, *c.ExitCode)
		}
	}
	return cmp.Or(out, "-")
}

func at(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05") }
