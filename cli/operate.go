package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/wire"
)

func newLogs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "logs TASK",
		Short: "Print what a task's containers wrote, from its node",
		Example: `  roadstead logs 0123456789abcdef0123456789abcdef
  roadstead logs TASK --container web --tail 20 --follow`,
		Args: cobra.ExactArgs(1),
	}
	connect := connectFlags(cmd)
	f := cmd.Flags()
	cluster := f.String("cluster", "default", "cluster of the task")
	container := f.String("container", "", "one container (default: all)")
	tail := f.Int("tail", 0, "only the last so many records (default: all)")
	follow := f.BoolP("follow", "f", false, "wait for more")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		q := url.Values{"cluster": {*cluster}, "container": {*container}}
		if *tail > 0 {
			q.Set("offset", strconv.Itoa(-*tail))
		}
		if *follow && *container == "" {
			return errors.New("--follow needs --container: each container has a log of its own")
		}
		for {
			var page struct {
				Records []acs.LogRecord `json:"records"`
				Offset  int64           `json:"offset"`
				Stopped bool            `json:"stopped"`
			}
			if err := c.Do(cmd.Context(), "GET", "/roadstead/v1/tasks/"+url.PathEscape(last(args[0]))+"/logs?"+q.Encode(), nil, &page); err != nil {
				return err
			}
			for _, r := range page.Records {
				w := cmd.OutOrStdout()
				if r.Stream == "stderr" {
					w = cmd.ErrOrStderr()
				}
				fmt.Fprint(w, r.Log)
			}
			if len(page.Records) == 0 || *container == "" {
				if !*follow || page.Stopped {
					return nil
				}
				if err := pause(cmd.Context(), 500*time.Millisecond); err != nil {
					return nil // interrupted: not a failure
				}
			}
			q.Set("offset", strconv.FormatInt(page.Offset, 10))
		}
	}
	return cmd
}

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
		Example: `  roadstead agent --server http://10.0.0.1:4566 --token "$(roadstead token create)"`,
		Args:    cobra.NoArgs,
	}
	connect := connectFlags(create)
	create.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		var out struct {
			Token string `json:"token"`
		}
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/join-tokens", struct{}{}, &out); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), out.Token)
		return nil
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
		muxes := server.Coverage()
		if err := wire.WriteCoverage(cmd.OutOrStdout(), muxes...); err != nil || !*missing {
			return err
		}
		for _, m := range muxes {
			for _, op := range m.Missing() {
				fmt.Fprintln(cmd.OutOrStdout(), m.Service().Name, op)
			}
		}
		return nil
	}
	return cmd
}
