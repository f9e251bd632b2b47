package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/agent"
)

// Main runs the command line and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second Ctrl-C ends the process at once: nothing that matters is lost with it
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	switch {
	case errors.As(err, &status):
		return int(status)
	case err != nil:
		fmt.Fprintln(stderr, "roadstead:", explain(err))
		return 1
	}
	return 0
}

// exitStatus is an exit code that needs no message.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "roadstead",
		Short: "Amazon ECS on your own machines",
		Long: `Roadstead speaks the Amazon ECS API and its neighbours, and runs the containers on machines that you own.

Everything on this machine, for learning and for tests:   roadstead dev
A control plane, and nodes that join it:                   roadstead server, roadstead agent
Looking at what runs:                                      roadstead ps, roadstead logs, roadstead exec`,
		Example: `  roadstead dev
  aws --endpoint-url http://127.0.0.1:4566 ecs list-clusters
  roadstead ps`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(newDev(), newServer(), newAgent(), newImage(), newPs(), newLogs(), newExec(), newForward(), newEvents(), newExplain(), newPlan(), newReport(), newToken(), newAccount(), newReset(), newNode(), newVersion(), newCoverage(), newSimulate(), newLogKeeper())
	sayUsage(root)
	return root
}

// newLogKeeper is the process of a node that outlives its agents: it reads containers' output, and makes tasks in containerd.
// Agents start it.
func newLogKeeper() *cobra.Command {
	cmd := &cobra.Command{Use: "log-keeper DIR", Hidden: true, Args: cobra.ExactArgs(1)}
	containerd := cmd.Flags().String("containerd", "", "socket of the node's containerd")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return agent.Keep(cmd.Context(), *containerd, args[0]) }
	return cmd
}

// logFlags adds --log-level, and returns a function that makes the logger.
func logFlags(cmd *cobra.Command, fallback string) func() *slog.Logger {
	level := cmd.Flags().String("log-level", fallback, "least level of what is logged: debug, info, warn or error")
	return func() *slog.Logger {
		var l slog.Level
		if err := l.UnmarshalText([]byte(*level)); err != nil {
			l = slog.LevelInfo
		}
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: l}))
	}
}
