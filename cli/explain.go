package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain TASK|SERVICE|MESSAGE",
		Short: "Say why a task is where it is, waits, or stopped, why a service is not steady, or why a call was refused",
		Long: `Say why a task is where it is, waits, or stopped, or why a service is not steady.

A call that was refused has a message in the header ` + wire.EncodedHeader + ` of its answer
(aws --debug shows it). Given that, it says which statement of which policy decided.`,
		Example: `  roadstead explain web
  roadstead explain 0123456789ab --cluster prod
  roadstead explain arn:aws:ecs:us-east-1:000000000000:task/prod/0123456789abcdef0123456789abcdef`,
		Args: cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	cluster := cmd.Flags().String("cluster", "default", "cluster of the task or service")
	asJSON := cmd.Flags().Bool("json", false, "print what the server answers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		if strings.HasPrefix(args[0], auth.MessagePrefix) {
			return explainRefusal(cmd, c, args[0], *asJSON)
		}
		if !isTask(args[0]) {
			err := explainService(cmd, c, *cluster, args[0], *asJSON)
			if model.ErrorCode(err) != "ServiceNotFoundException" || !beginning.MatchString(args[0]) {
				return err
			} // no service has that name: then it is how a task's id begins
		}
		task, err := findTask(cmd.Context(), c, *cluster, args[0])
		if err != nil {
			return err
		}
		var s ecs.TaskStory
		q := url.Values{"cluster": {task.cluster}}
		if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/tasks/"+url.PathEscape(task.id)+"/explain?"+q.Encode(), nil, &s); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), s)
		}
		return printStory(cmd.OutOrStdout(), &s)
	}
	return cmd
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printStory(out io.Writer, s *ecs.TaskStory) error {
	fmt.Fprintf(out, "%s (%s) is %s", last(s.TaskArn), s.TaskDefinition, s.LastStatus)
	if s.DesiredStatus != s.LastStatus && s.LastStatus != "STOPPED" {
		fmt.Fprintf(out, " and wanted %s", s.DesiredStatus)
	}
	fmt.Fprintf(out, ".\n%s\n", s.Why)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Timeline) > 0 {
		fmt.Fprintln(w, "\nTIME\tAFTER\tWHAT")
		for _, e := range s.Timeline {
			at := time.UnixMilli(e.At)
			fmt.Fprintf(w, "%s\t%s\t%s\n", at.UTC().Format("2006-01-02 15:04:05.000"), at.Sub(time.UnixMilli(s.Timeline[0].At)), e.What)
		}
	}
	if len(s.Containers) > 0 {
		fmt.Fprintln(w, "\nCONTAINER\tSTATUS\tEXIT\tREASON")
		for _, c := range s.Containers {
			exit := "-"
			if c.ExitCode != nil {
				exit = fmt.Sprint(*c.ExitCode)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, c.Status, exit, cmp.Or(c.Reason, "-"))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printRefusals(out, s.Left)
}
