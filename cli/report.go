package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// wideRole is a role as `report roles` shows it.
type wideRole struct {
	Role       string `json:"role"`
	Statements []struct {
		Policy    string `json:"policy"`
		Statement string `json:"statement"`
	} `json:"statements"`
	Definitions []string `json:"definitions"`
	Tasks       int      `json:"tasks"`
}

func newReport() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "Look for what should not be so"}
	roles := &cobra.Command{
		Use:   "roles",
		Short: "List roles that may do everything, and the task definitions that name them",
		Long: `List the roles of the account that allow every action on every resource without a condition, and that no permissions
boundary holds back. A program in a task with such a role that is broken into has the account. Each such policy that is written, and each
task definition that is registered with such a role, is an event, too (roadstead events); roadstead server --deny-wide-roles refuses
them.`,
		Example: "  roadstead report roles",
		Args:    cobra.NoArgs,
	}
	connect := connectFlags(roles)
	roles.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var page struct {
			Roles []wideRole `json:"roles"`
		}
		if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/reports/roles", nil, &page); err != nil {
			return err
		}
		return rolesTable(page.Roles, cmd.OutOrStdout())
	}
	cmd.AddCommand(roles)
	return cmd
}

func rolesTable(roles []wideRole, out io.Writer) error {
	if len(roles) == 0 {
		fmt.Fprintln(out, "No role allows every action on every resource.")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ROLE\tPOLICY\tSTATEMENT\tTASK DEFINITIONS\tTASKS")
	for i := range roles {
		r := &roles[i]
		used := strings.Join(r.Definitions, " ")
		if used == "" {
			used = "-"
		}
		for _, s := range r.Statements {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", last(r.Role), last(s.Policy), s.Statement, used, r.Tasks)
		}
	}
	return w.Flush()
}
