package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/api/ecs"
)

func newPlan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Say what a RunTask, CreateService or UpdateService would do, without doing it",
		Long: `Say where the copies of a RunTask would go and what stands in the way of those that find no place; or which tasks a
CreateService or UpdateService would start and stop at first. FILE holds the JSON of the call, as aws ecs run-task
--cli-input-json (create-service, update-service) takes it; "-" is standard input. Nothing is changed.`,
		Example: `  echo '{"taskDefinition": "web", "count": 3}' > run.json
  roadstead plan run.json && aws ecs run-task --cli-input-json file://run.json
  echo '{"service": "web", "taskDefinition": "web:2"}' | roadstead plan -`,
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
		var raw json.RawMessage
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/plan", in, &raw); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), raw)
		}
		var service ecs.ServicePlan // has a name, if the call was about a service
		var run ecs.Plan
		if err := errors.Join(json.Unmarshal(raw, &service), json.Unmarshal(raw, &run)); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		if service.ServiceName != "" {
			return printServicePlan(cmd.OutOrStdout(), &service)
		}
		return printPlan(cmd.OutOrStdout(), &run)
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
		return nil, fmt.Errorf("%s does not hold the JSON of a call, such as {\"taskDefinition\": \"web\", \"count\": 3}", name)
	}
	return b, nil
}

func printPlan(out io.Writer, p *ecs.Plan) error {
	fmt.Fprintf(out, "%s: %d of %d copies find a place", p.TaskDefinition, len(p.Placements), p.Asked)
	if p.Waiting > 0 {
		fmt.Fprintf(out, ", %d would wait for capacity", p.Waiting)
	}
	fmt.Fprintf(out, ".\nEach needs %s.%s\n", needs(&p.Needs), placedBy(p))
	if err := printPlacements(out, p.Placements); err != nil {
		return err
	}
	return printRefusals(out, p.Left)
}

func printPlacements(out io.Writer, all []ecs.PlannedPlacement) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(all) > 0 {
		fmt.Fprintln(w, "\nCOPY\tINSTANCE\tZONE\tPROVIDER\tADDRESS")
	}
	for i, at := range all {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", i+1, cmp.Or(last(at.ContainerInstanceArn), "(Fargate)"), cmp.Or(at.AvailabilityZone, "-"),
			cmp.Or(at.CapacityProvider, "-"), cmp.Or(at.Address, "-"))
	}
	return w.Flush()
}

// printServicePlan says what happens at first.
func printServicePlan(out io.Writer, p *ecs.ServicePlan) error {
	if p.Deployment != "" {
		fmt.Fprintf(out, "%s deploys %s, %d tasks in the end.\n", p.ServiceName, p.Deployment, p.DesiredCount)
	} else {
		fmt.Fprintf(out, "%s starts no deployment; it is to have %d tasks.\n", p.ServiceName, p.DesiredCount)
	}
	fmt.Fprintf(out, "At first it starts %d and stops %d.", len(p.Placements), len(p.Stops))
	if p.Waiting > 0 {
		fmt.Fprintf(out, " %d more would wait for capacity.", p.Waiting)
	}
	fmt.Fprintln(out)
	if err := printPlacements(out, p.Placements); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(p.Stops) > 0 {
		fmt.Fprintln(w, "\nSTOPPED\tDEFINITION\tREASON")
	}
	for _, s := range p.Stops {
		fmt.Fprintf(w, "%s\t%s\t%s\n", last(s.TaskArn), s.TaskDefinition, s.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	printLines(out, "It would say:", p.Messages)
	printLines(out, "What it waits for then:", p.Why)
	return nil
}

func printLines(out io.Writer, title string, lines []string) {
	if len(lines) > 0 {
		fmt.Fprintf(out, "\n%s\n  %s\n", title, strings.Join(lines, "\n  "))
	}
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
