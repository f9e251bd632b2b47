package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/agent"
	"github.com/roadstead/roadstead/server"
)

// defaultDevDir is the data directory that `dev` has when it is told none.
const defaultDevDir = "/var/lib/roadstead/dev"

// devConfig is what `roadstead dev` was asked for.
type devConfig struct {
	server    server.Config
	agent     agent.Config
	name      string
	nodes     int
	keepTasks bool
	sample    string
}

func newDev() *cobra.Command {
	var cfg devConfig
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: control plane, registry and node",
		Long: `Run everything in one process: the control plane with its state under --data-dir, the image registry, and a node
with a containerd of its own, joined to cluster "default". Access key: test / test. When the API answers and the nodes
are registered it prints "ready http://HOST:PORT" on a line of its own. It needs root, for containers.

With --nodes N there are N nodes in zones a, b, c ..., each in its own network namespace: a real cluster on one machine.`,
		Example: `  roadstead dev
  roadstead dev --nodes 3 --data-dir /tmp/roadstead
  roadstead dev --account 123456789012 --region eu-west-1 --listen 127.0.0.1:5000`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&cfg.server.Listen, "listen", "127.0.0.1:4566", "address to listen on")
	f.StringVar(&cfg.server.DataDir, "data-dir", defaultDevDir, "where everything is kept")
	f.StringVar(&cfg.server.Region, "region", defaultRegion, "Region")
	f.StringVar(&cfg.server.Account, "account", defaultAccount, "account, 12 digits")
	outsideFlags(f, &cfg.server)
	f.StringVar(&cfg.name, "name", "", "at most 4 letters that tell this from others on the machine (default: made from --data-dir)")
	f.IntVar(&cfg.nodes, "nodes", 1, "number of nodes")
	f.BoolVar(&cfg.keepTasks, "keep-tasks", false, "leave containers running at the end; the next start finds them")
	f.StringVar(&cfg.sample, "sample", "", "static binary of a web server to run as a first task")
	nodeFlags(cmd, &cfg.agent, "dev")
	logger := logFlags(cmd, "warn")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log := logger()
		cfg.server.Log, cfg.agent.Log, cfg.agent.Fargate = log, log, true
		cfg.server.Dev, cfg.server.RootKeyID, cfg.server.RootSecret = true, devKey, devSecret
		return runDev(cmd, &cfg)
	}
	return cmd
}

// runDev starts the server, then the nodes, and stops them in the opposite order.
func runDev(cmd *cobra.Command, cfg *devConfig) error {
	if cfg.nodes < 1 || cfg.nodes > maxDevNodes {
		return fmt.Errorf("--nodes %d: one machine takes 1 to %d nodes", cfg.nodes, maxDevNodes)
	}
	if len(cfg.name) > 4 {
		return fmt.Errorf("--name %s is too long: 4 letters fit into the names of network interfaces", cfg.name)
	}
	if os.Geteuid() != 0 {
		return errors.New("containers need root: run `sudo roadstead dev`")
	}
	ctx := cmd.Context()
	lock, err := lockDir(cfg.server.DataDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := server.Open(ctx, cfg.server)
	if err != nil {
		return err
	}
	var nets *devNetwork
	if cfg.nodes > 1 {
		if nets, err = openDevNetwork(cfg, s); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	serverCtx, stopServer := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServer()
	served := make(chan error, 1)
	go func() { served <- s.Run(serverCtx) }()
	err = runNodes(ctx, cmd, cfg, s, nets, served)
	stopServer()
	if serveErr := <-served; err == nil {
		err = serveErr
	}
	if nets != nil && !cfg.keepTasks {
		err = errors.Join(err, nets.nodes.Close())
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// runNodes runs the nodes until ctx ends or something fails.
func runNodes(ctx context.Context, cmd *cobra.Command, cfg *devConfig, s *server.Server, nets *devNetwork, served chan error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	fail := func(err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
			cancel()
		}
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	token, err := devToken(ctx, s, cfg.server.DataDir, cfg.server.Account)
	if err != nil {
		return err
	}
	nodes, err := devNodes(ctx, cfg, s, nets, token)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, run := range nodes {
		wg.Go(func() { fail(run(ctx)) })
	}
	wg.Go(func() {
		select {
		case err := <-served:
			served <- err
			fail(fmt.Errorf("the control plane ended: %w", err))
		case <-ctx.Done():
		}
	})
	if s.AwaitNodes(ctx, cfg.nodes) == nil {
		fmt.Fprintln(cmd.OutOrStdout(), "ready", s.URL())
		fail(greet(ctx, cmd, cfg, s))
	}
	<-ctx.Done()
	if cmd.Context().Err() != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "Stopping. Ctrl-C once more leaves at once; the next start finds what is left then.")
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// lockDir keeps two processes from sharing a data directory.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another roadstead: choose another --data-dir", dir)
	}
	return f, nil
}

// devToken returns the join token of this data directory, making one the first time.
func devToken(ctx context.Context, s *server.Server, dir, account string) (string, error) {
	path := filepath.Join(dir, "join-token")
	if b, err := os.ReadFile(path); err == nil && s.KnowsToken(string(b)) {
		return strings.TrimSpace(string(b)), nil
	}
	token, err := s.JoinToken(ctx, account)
	if err != nil {
		return "", err
	}
	return token, os.WriteFile(path, []byte(token), 0o600)
}

// runner runs a node until ctx ends.
type runner func(ctx context.Context) error

// devNodes returns what runs each node: in this process if there is one, in a process and network namespace of its own
// each if there are more. Close the network when the nodes and the server have ended.
func devNodes(ctx context.Context, cfg *devConfig, s *server.Server, nets *devNetwork, token string) ([]runner, error) {
	if cfg.nodes > 1 {
		return nets.runners(cfg, s, token), nil
	}
	c := cfg.agent
	p := placeOf(cfg)
	c.Server, c.Token, c.Name, c.Zone = s.URL(), token, "dev"+p.suffix, "a"
	c.Subnet = netip.PrefixFrom(p.subnet(0).Addr(), 16).String()
	c.DataDir, c.StopTasks = filepath.Join(cfg.server.DataDir, "node"), !cfg.keepTasks
	a, err := agent.New(context.WithoutCancel(ctx), c) // whatever ends it: Run cleans up
	if err != nil {
		return nil, err
	}
	return []runner{a.Run}, nil
}
