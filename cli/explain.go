package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/api/ecs"
)

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain TASK|SERVICE",
		Short: "Say why a task is where it is, waits, or stopped, or why a service is not steady",
		Example: `  roadstead explain web
  roadstead explain 0123456789abcdef0123456789abcdef
  roadstead explain arn:aws:ecs:us-east-1:000000000000:task/prod/0123456789abcdef0123456789abcdef --cluster prod`,
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
		if !isTask(args[0]) {
			return explainService(cmd, c, *cluster, last(args[0]), *asJSON)
		}
		var s ecs.TaskStory
		q := url.Values{"cluster": {*cluster}}
		if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/tasks/"+url.PathEscape(last(args[0]))+"/explain?"+q.Encode(), nil, &s); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), s)
		}
		return printStory(cmd.OutOrStdout(), &s)
	}
	return cmd
}

func newPlan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Say what a RunTask would do, without doing it",
		Long: `Say where the copies of a RunTask would go and what stands in the way of those that find no place. FILE holds the
JSON of the call, as aws ecs run-task --cli-input-json takes it; "-" is standard input. Nothing is changed.`,
		Example: `  aws ecs run-task --task-definition web --count 3 --generate-cli-skeleton input > run.json
  roadstead plan run.json
  echo '{"taskDefinition": "web", "count": 3}' | roadstead plan -`,
		Args: cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print what the server answers")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in, err := readCall(cmd.InOrStdin(), args[0])
		if err != nil {
			return err
		}
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var p ecs.Plan
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/plan", in, &p); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), p)
		}
		return printPlan(cmd.OutOrStdout(), &p)
	}
	return cmd
}

// readCall reads the JSON of a call.
func readCall(stdin io.Reader, name string) (json.RawMessage, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(stdin)
	} else {
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("%s does not hold the JSON of a RunTask call, such as {\"taskDefinition\": \"web\", \"count\": 3}", name)
	}
	return b, nil
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printPlan(out io.Writer, p *ecs.Plan) error {
	fmt.Fprintf(out, "%s: %d of %d copies find a place", p.TaskDefinition, len(p.Placements), p.Asked)
	if p.Waiting > 0 {
		fmt.Fprintf(out, ", %d would wait for capacity", p.Waiting)
	}
	fmt.Fprintf(out, ".\nEach needs %s.%s\n", needs(&p.Needs), placedBy(p))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(p.Placements) > 0 {
		fmt.Fprintln(w, "\nCOPY\tINSTANCE\tZONE\tPROVIDER\tADDRESS")
		for i, at := range p.Placements {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", i+1, cmp.Or(last(at.ContainerInstanceArn), "(Fargate)"), cmp.Or(at.AvailabilityZone, "-"),
				cmp.Or(at.CapacityProvider, "-"), cmp.Or(at.Address, "-"))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printRefusals(out, p.Left)
}

func needs(n *ecs.Needs) string {
	out := []string{fmt.Sprintf("%d CPU units", n.CPU), fmt.Sprintf("%d MiB", n.Memory)}
	if n.GPUs > 0 {
		out = append(out, fmt.Sprintf("%d GPUs", n.GPUs))
	}
	if n.ENIs > 0 {
		out = append(out, "a network interface")
	}
	for _, p := range n.PortsTCP {
		out = append(out, fmt.Sprintf("port %d/tcp", p))
	}
	for _, p := range n.PortsUDP {
		out = append(out, fmt.Sprintf("port %d/udp", p))
	}
	return strings.Join(out, ", ")
}

// placedBy puts constraints and strategy into words.
func placedBy(p *ecs.Plan) string {
	var must, like []string
	for _, c := range p.Constraints {
		must = append(must, strings.TrimSpace(c.Type+" "+c.Expression))
	}
	for _, s := range p.Strategy {
		like = append(like, strings.TrimSpace(s.Type+" "+s.Field))
	}
	out := ""
	if len(must) > 0 {
		out += "\nIt must satisfy " + strings.Join(must, "; ") + "."
	}
	if len(like) > 0 {
		out += "\nIt is placed by " + strings.Join(like, ", then ") + "."
	}
	return out
}

// printRefusals prints a count by filter, then the instances with what each lacks.
func printRefusals(out io.Writer, r *ecs.Refusals) error {
	if r == nil {
		return nil
	}
	fmt.Fprintf(out, "\nWhy none of the %d ACTIVE instances takes one more copy:\n\n", r.Instances)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REASON\tINSTANCES\t")
	for _, c := range r.Reasons {
		fmt.Fprintf(w, "%s\t%d\t%s\n", c.Reason, c.Instances, strings.Repeat("#", (c.Instances*40+r.Instances-1)/max(r.Instances, 1)))
	}
	const shown = 20
	fmt.Fprintln(w, "\nINSTANCE\tZONE\tREASON\tDETAIL")
	for i, x := range r.Refused {
		if i == shown {
			fmt.Fprintf(w, "... and %d more: see them with --json\n", len(r.Refused)-shown)
			break
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", last(x.ContainerInstanceArn), cmp.Or(x.AvailabilityZone, "-"), x.Reason, x.Detail)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if x := r.Closest; x != nil {
		fmt.Fprintf(out, "\nThe closest is %s: %s\n", last(x.ContainerInstanceArn), strings.TrimSpace(x.Reason+" "+x.Detail))
	}
	return nil
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
