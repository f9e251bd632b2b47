package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/agent"
)

func newNode() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Look after a node, on its machine"}
	cmd.AddCommand(newDoctor())
	return cmd
}

func newDoctor() *cobra.Command {
	cfg := agent.DoctorConfig{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what belongs to no task, and remove it",
		Long: `Look for containers, shims, mounts, snapshots, cgroups, network namespaces, links, addresses, volumes and logs that the
node has on this machine and no task explains. The agent may run meanwhile, or not: then its tasks are left alone, too.

It ends with 1 if something is left. A node of ` + "`roadstead dev --nodes`" + ` is looked at from its network namespace:
ip netns exec rs-n1 roadstead node doctor --data-dir DIR/nodes/n1`,
		Example: `  roadstead node doctor
  roadstead node doctor --repair
  roadstead node doctor --data-dir /var/lib/roadstead/dev/node`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&cfg.DataDir, "data-dir", defaultAgentDir, "of the node's agent")
	f.BoolVar(&cfg.Repair, "repair", false, "remove what is found")
	logger := logFlags(cmd, "error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg.Log = logger()
		d, err := agent.Doctor(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if !printDiagnosis(d, cfg.Repair, cmd.OutOrStdout()) {
			return exitStatus(1)
		}
		return nil
	}
	return cmd
}

// printDiagnosis says what was found, and whether the node is clean now.
func printDiagnosis(d agent.Diagnosis, repaired bool, out io.Writer) (clean bool) {
	runs := "its agent runs"
	if !d.Running {
		runs = "no agent runs"
	}
	fmt.Fprintf(out, "Node %s: %s; it has %d tasks.\n", d.Node, runs, d.Tasks)
	if len(d.Leaks) == 0 {
		fmt.Fprintln(out, "Nothing is there that no task explains.")
		return true
	}
	left := map[agent.Leak]bool{}
	for _, l := range d.Left {
		left[l] = true
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEAK\tNAME")
	for _, l := range d.Leaks {
		what := ""
		switch {
		case repaired && !left[l]:
			what = "\tremoved"
		case repaired && l.Kind == "sandbox" && d.Running:
			what = "\tleft to the agent, which releases it"
		case repaired:
			what = "\tSTILL THERE"
		}
		fmt.Fprintf(w, "%s\t%s%s\n", l.Kind, l.Name, what)
	}
	_ = w.Flush()
	if !repaired {
		fmt.Fprintf(out, "%d leaks. Remove them with --repair.\n", len(d.Leaks))
		return false
	}
	fmt.Fprintf(out, "%d leaks, %d left.\n", len(d.Leaks), len(d.Left))
	return len(d.Left) == 0
}
