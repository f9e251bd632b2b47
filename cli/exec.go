package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/datachannel"
)

func newExec() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec TASK [--container NAME] -- COMMAND [ARG...]",
		Short: "Run a command in a container of a task, with its exit code",
		Long: `Run a command as root in a running container of a task that was started with --enable-execute-command. The image needs nothing
but the command. At a terminal the command gets one, too; otherwise its input, output and errors are kept apart, so that pipes
and redirections work. The exit code is the command's. ` + "`roadstead events`" + ` shows who ran what.`,
		Example: `  roadstead exec 0123456789ab -- /bin/sh
  roadstead exec TASK --container web -- cat /etc/hosts
  tar c src | roadstead exec TASK -- tar x -C /tmp
  roadstead exec TASK -- sh -c 'test -e /ready' && echo ready`,
		Args: cobra.MinimumNArgs(2),
	}
	connect := connectFlags(cmd)
	f := cmd.Flags()
	cluster := f.String("cluster", "default", "cluster of the task")
	container := f.String("container", "", "container (default: the only one)")
	tty := f.Bool("tty", false, "with or without a terminal (default: with one if input and output are terminals)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		task, err := findTask(cmd.Context(), c, *cluster, args[0])
		if err != nil {
			return err
		}
		screen := terminalOf(cmd.InOrStdin(), cmd.OutOrStdout())
		q := acs.ExecRequest{Cluster: task.cluster, Container: *container, Command: args[1:], Terminal: screen != nil}
		if f.Changed("tty") {
			q.Terminal = *tty
		}
		var grant acs.ExecGrant
		if err := c.Do(cmd.Context(), "POST", "/roadstead/v1/tasks/"+url.PathEscape(task.id)+"/exec", q, &grant); err != nil {
			return err
		}
		x := newExecSession(c, grant, cmd.OutOrStdout(), cmd.ErrOrStderr())
		if q.Terminal && screen != nil {
			restore, err := screen.raw()
			if err != nil {
				return fmt.Errorf("prepare the terminal: %w", err)
			}
			defer restore()
			x.size = screen.size
		}
		return x.run(cmd.Context(), cmd.InOrStdin())
	}
	return cmd
}

// result is how the command line ends after a session.
func (x *execSession) result(ctx context.Context) error {
	switch {
	case x.code != nil && *x.code == 0:
		return nil
	case x.code != nil:
		return exitStatus(*x.code)
	case ctx.Err() != nil:
		return exitStatus(130)
	}
	return errors.New(cmp.Or(x.text, "the session ended before the command did"))
}

// screen is the terminal that the command line is used at.
type screen struct{ fd int }

// terminalOf is nil unless both are the terminal.
func terminalOf(in io.Reader, out io.Writer) *screen {
	i, inFile := in.(*os.File)
	o, outFile := out.(*os.File)
	if !inFile || !outFile {
		return nil
	}
	for _, f := range []*os.File{i, o} {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
			return nil
		}
	}
	return &screen{int(i.Fd())}
}

// raw has the terminal pass every key on.
func (s *screen) raw() (restore func(), err error) {
	before, err := unix.IoctlGetTermios(s.fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	t := *before
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(s.fd, unix.TCSETS, &t); err != nil {
		return nil, err
	}
	return func() { _ = unix.IoctlSetTermios(s.fd, unix.TCSETS, before) }, nil
}

func (s *screen) size() datachannel.WindowSize {
	w, err := unix.IoctlGetWinsize(s.fd, unix.TIOCGWINSZ)
	if err != nil {
		return datachannel.WindowSize{}
	}
	return datachannel.WindowSize{Cols: uint32(w.Col), Rows: uint32(w.Row)}
}
