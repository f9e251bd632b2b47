package cli

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/wire"
)

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newToken() *cobra.Command {
	create := &cobra.Command{
		Use: "create", Short: "Make a join token for nodes and print it",
		Example: `  roadstead agent --server http://10.0.0.1:4566 --token "$(roadstead token create)"
  roadstead token create --account 111122223333`,
		Args: cobra.NoArgs,
	}
	connect := connectFlags(create)
	account := create.Flags().String("account", "", "account that the nodes work for (default: that of the access key; others are the operator's to name)")
	keys := create.Flags().Bool("keys", false, "print the access key in the token, as variables for the stock Amazon ECS agent (docs/stock-agent.md)")
	create.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var out struct {
			Token string `json:"token"`
		}
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/join-tokens", map[string]string{"account": *account}, &out); err != nil {
			return err
		}
		if !*keys {
			fmt.Fprintln(cmd.OutOrStdout(), out.Token)
			return nil
		}
		t, err := acs.ParseJoinToken(out.Token)
		if err == nil {
			fmt.Fprintf(cmd.OutOrStdout(), "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\nAWS_DEFAULT_REGION=%s\n", t.KeyID, t.Secret, t.Region)
		}
		return err
	}
	cmd := &cobra.Command{Use: "token", Short: "Tokens with which nodes join"}
	cmd.AddCommand(create)
	return cmd
}

func newReset() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reset", Short: "Stop all tasks and empty all state of a dev server",
		Example: `  roadstead reset    # between two test suites`, Args: cobra.NoArgs,
	}
	connect := connectFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var out struct {
			Nodes   int     `json:"nodes"`
			Seconds float64 `json:"seconds"`
		}
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/reset", struct{}{}, &out); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Empty, with %d nodes, in %.2f s.\n", out.Nodes, out.Seconds)
		return nil
	}
	return cmd
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintf(cmd.OutOrStdout(), "roadstead %s %s/%s %s\n", agent.Version, runtime.GOOS, runtime.GOARCH, runtime.Version())
			return nil
		},
	}
}

func newCoverage() *cobra.Command {
	cmd := &cobra.Command{
		Use: "coverage", Short: "List for each AWS service how many of its operations are served", Args: cobra.NoArgs,
		Example: "  roadstead coverage --missing",
	}
	missing := cmd.Flags().Bool("missing", false, "name the operations that are not served")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		services := server.Counted()
		if err := wire.WriteCoverage(cmd.OutOrStdout(), services...); err != nil || !*missing {
			return err
		}
		for _, s := range services {
			for _, op := range s.Missing() {
				fmt.Fprintln(cmd.OutOrStdout(), s.Name(), op)
			}
		}
		return nil
	}
	return cmd
}
