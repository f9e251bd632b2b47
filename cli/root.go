package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/agent"
	"github.com/roadstead/roadstead/model"
)

// Main runs the command line and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
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

// explain adds to an error what to do about it.
func explain(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "connection refused"):
		return text + "\nNo Roadstead answers there. Start one with `roadstead dev`, or name another with --endpoint or ROADSTEAD_ENDPOINT."
	case model.ErrorCode(err) == "UnrecognizedClientException":
		return text + "\nThe access key is not known there. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `roadstead dev` has test / test."
	case strings.Contains(text, "address already in use"):
		return text + "\nAnother process has that port. Choose another with --listen 127.0.0.1:PORT."
	}
	return text
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
