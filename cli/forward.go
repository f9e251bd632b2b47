package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/xtaci/smux"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/datachannel"
	"github.com/roadstead/roadstead/model"
)

func newForward() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forward TASK[/CONTAINER] LOCAL:REMOTE",
		Short: "Listen on a port of this machine, and carry connections to a port of a container",
		Long: `Carry connections that come to a port of this machine to a port of a container of a task that was started with
--enable-execute-command, or to a port of a host that the container reaches. What listens on the container's loopback only is
reached, too. LOCAL is a port of this machine's loopback, 0 for any that is free; REMOTE is a port of the container, or HOST:PORT
as the container sees it. The container's name is needed if the task has several. Ends with ctrl-C, and with the container.
It is what aws ssm start-session does with AWS-StartPortForwardingSession, without a plugin.`,
		Example: `  roadstead forward 0123456789abcdef0123456789abcdef 8080:80
  roadstead forward TASK/web 8080:80
  roadstead forward TASK 5432:db.internal:5432      # a database that only the task reaches
  roadstead forward TASK 0:80                       # any free port`,
		Args: cobra.ExactArgs(2),
	}
	connect := connectFlags(cmd)
	cluster := cmd.Flags().String("cluster", "default", "cluster of the task, if its ARN does not say it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		at, err := parseForward(args[0], args[1])
		if err != nil {
			return err
		}
		at.cluster = cmp.Or(at.cluster, *cluster)
		c, err := connect()
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(at.local))))
		if err != nil {
			return fmt.Errorf("listen for connections: %w", err)
		}
		defer l.Close()
		grant, err := at.open(cmd.Context(), c)
		if err != nil {
			return err
		}
		f := &forwarding{to: at.remote(), listener: l, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
		return f.run(cmd.Context(), c, grant)
	}
	return cmd
}

// forwardTo is what the arguments of forward say.
type forwardTo struct {
	cluster, task, container string
	local, port              uint16
	host                     string // "" is the container itself
}

// parseForward reads TASK[/CONTAINER] and LOCAL:[HOST:]PORT. The task may be an ARN.
func parseForward(task, ports string) (f forwardTo, err error) {
	names := strings.Split(task, "/")
	if strings.HasPrefix(task, "arn:") {
		if len(names) < 3 {
			return f, fmt.Errorf("%s is no task's ARN", task)
		}
		f.cluster, names = names[1], names[2:]
	}
	if f.task = names[0]; len(names) > 1 {
		f.container = names[1]
	}
	if f.task == "" || len(names) > 2 || len(names) == 2 && f.container == "" {
		return f, fmt.Errorf("%s is not TASK or TASK/CONTAINER", task)
	}
	local, remote, ok := strings.Cut(ports, ":")
	if !ok {
		return f, fmt.Errorf("%s is not LOCAL:REMOTE, 8080:80 for instance", ports)
	}
	n, err := strconv.ParseUint(local, 10, 16)
	if err != nil {
		return f, fmt.Errorf("%q is no port of this machine", local)
	}
	if strings.Contains(remote, ":") {
		host, port, err := net.SplitHostPort(remote)
		if err != nil || host == "" {
			return f, fmt.Errorf("%s is not PORT or HOST:PORT", remote)
		}
		f.host, remote = host, port
	}
	m, err := strconv.ParseUint(remote, 10, 16)
	if err != nil || m == 0 {
		return f, fmt.Errorf("%q is no port of the container", remote)
	}
	f.local, f.port = uint16(n), uint16(m)
	return f, nil
}

// remote is where connections go.
func (f *forwardTo) remote() string {
	return net.JoinHostPort(cmp.Or(f.host, "localhost"), strconv.Itoa(int(f.port)))
}

// open opens the session.
func (f *forwardTo) open(ctx context.Context, c *client.Client) (acs.ExecGrant, error) {
	target, err := f.target(ctx, c)
	if err != nil {
		return acs.ExecGrant{}, err
	}
	document, parameters := "AWS-StartPortForwardingSession", map[string][]string{"portNumber": {strconv.Itoa(int(f.port))}}
	if f.host != "" {
		document, parameters["host"] = document+"ToRemoteHost", []string{f.host}
	}
	var out struct {
		SessionID string `json:"SessionId"`
		StreamURL string `json:"StreamUrl"`
		Token     string `json:"TokenValue"`
	}
	err = c.Call(ctx, "ssm", "StartSession", map[string]any{"Target": target.String(), "DocumentName": document, "Parameters": parameters}, &out)
	return acs.ExecGrant{SessionID: out.SessionID, StreamURL: out.StreamURL, Token: out.Token, Target: target.String()}, err
}

// target finds the container, and says why there can be no session in it.
func (f *forwardTo) target(ctx context.Context, c *client.Client) (model.SessionTarget, error) {
	var out struct {
		Tasks []struct {
			LastStatus           string
			EnableExecuteCommand bool
			Containers           []struct{ Name, LastStatus, RuntimeID string }
		}
	}
	t := model.SessionTarget{Cluster: f.cluster, Task: f.task}
	if err := c.Call(ctx, "ecs", "DescribeTasks", map[string]any{"cluster": f.cluster, "tasks": []string{f.task}}, &out); err != nil {
		return t, err
	}
	if len(out.Tasks) == 0 {
		return t, fmt.Errorf("there is no task %s in cluster %s", f.task, f.cluster)
	}
	task := out.Tasks[0]
	if !task.EnableExecuteCommand {
		return t, fmt.Errorf("task %s was not started with --enable-execute-command", f.task)
	}
	var names []string
	for _, c := range task.Containers {
		names = append(names, c.Name)
		if c.Name != f.container && (f.container != "" || len(task.Containers) > 1) {
			continue
		}
		if c.LastStatus != model.TaskRunning {
			return t, fmt.Errorf("container %s of task %s is %s", c.Name, f.task, c.LastStatus)
		}
		t.Runtime = c.RuntimeID
		return t, nil
	}
	if f.container == "" {
		return t, fmt.Errorf("task %s has several containers: say which one, %s/%s for instance", f.task, f.task, strings.Join(names, ", "))
	}
	return t, fmt.Errorf("task %s has no container %s, but %s", f.task, f.container, strings.Join(names, ", "))
}

// forwarding carries the connections of a listener over one session, as streams of smux.
type forwarding struct {
	to             string
	listener       net.Listener
	mu             sync.Mutex // of what is written
	stdout, stderr io.Writer
}

// run carries connections until ctx ends, which is no failure, or the session.
func (f *forwarding) run(ctx context.Context, c *client.Client, grant acs.ExecGrant) error {
	near, far := net.Pipe()
	cfg := smux.DefaultConfig()
	cfg.KeepAliveDisabled = true // as at the other end
	mux, err := smux.Client(far, cfg)
	if err != nil {
		return err
	}
	x := newExecSession(c, grant, near, io.Discard)
	x.flag = func(n uint32) {
		if n == datachannel.FlagConnectFail {
			f.say(f.stderr, "A connection failed: nothing takes connections at %s in the container.\n", f.to)
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer near.Close()
	defer mux.Close()
	defer f.listener.Close()
	x.begun = func() {
		f.say(f.stdout, "Forwarding from %s to %s in the container. Ctrl-C ends it.\n", f.listener.Addr(), f.to)
		wg.Go(func() { f.accept(mux, &wg) })
	}
	err = x.run(ctx, near)
	switch {
	case ctx.Err() != nil:
		return nil
	case x.over:
		return errors.New(cmp.Or(x.text, "the session has ended: its task has, perhaps"))
	}
	return err
}

func (f *forwarding) say(to io.Writer, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(to, format, args...)
}

// accept opens a stream for each connection, until the listener is closed.
func (f *forwarding) accept(mux *smux.Session, wg *sync.WaitGroup) {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		stream, err := mux.OpenStream()
		if err != nil {
			conn.Close()
			return
		}
		wg.Go(func() { carryStream(conn, stream, mux) })
	}
}

// carryStream copies both ways until one end is over.
func carryStream(conn net.Conn, stream *smux.Stream, mux *smux.Session) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(stream, conn)
		stream.Close()
	}()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(conn, stream)
	}()
	select {
	case <-copied:
	case <-over:
		<-copied
	case <-mux.CloseChan():
	}
	conn.Close()
	stream.Close()
	<-over
	<-copied
}
