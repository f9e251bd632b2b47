package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/server"
)

// maxDevNodes is how many /20 subnets 10.88.0.0/16 has.
const maxDevNodes = 16

// place tells the servers of one machine apart by their data directories: names of bridges, namespaces and cgroups, and
// the networks 10.TASKS.0.0/16 for tasks and 10.NODES.0.0/16 between nodes.
type place struct {
	suffix       string
	tasks, nodes byte
}

// placeOf returns the plain names for the default directory, or if the name is said to be "dev", and others for every other
// directory.
func placeOf(cfg *devConfig) place {
	dir := cfg.server.DataDir
	if dir == defaultDevDir || cfg.name == "dev" {
		return place{tasks: 88, nodes: 87}
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	sum := sha256.Sum256([]byte(dir))
	if cfg.name != "" {
		return place{suffix: "-" + cfg.name, tasks: 96 + sum[2]%64, nodes: 160 + sum[2]%64}
	}
	return place{suffix: "-" + hex.EncodeToString(sum[:2]), tasks: 96 + sum[2]%64, nodes: 160 + sum[2]%64}
}

// subnet is where the tasks of the i-th of several nodes have their addresses.
func (p place) subnet(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, p.tasks, byte(16 * i), 0}), 20)
}

// name is what the i-th of several nodes is called on its machine.
func (p place) name(i int) string { return "n" + strconv.Itoa(i+1) + p.suffix }

// devNetwork is the network of `dev --nodes N`.
type devNetwork struct {
	place place
	nodes *network.Nodes
	list  []*network.Node
}

// openDevNetwork makes the namespaces and lets the server listen in each at the address that it has outside: on loopback
// only, and every URL and image reference means the same everywhere.
func openDevNetwork(cfg *devConfig, s *server.Server) (*devNetwork, error) {
	p := placeOf(cfg)
	nodes, err := network.NewNodes("rs-nodes"+p.suffix, netip.AddrFrom4([4]byte{10, p.nodes, 0, 0}))
	if err != nil {
		return nil, err
	}
	d := &devNetwork{place: p, nodes: nodes}
	for i := range cfg.nodes {
		x, err := nodes.Add("rs-"+p.name(i), i, p.subnet(i))
		if err != nil {
			return nil, errors.Join(err, nodes.Close())
		}
		err = x.Do(func() error {
			l, err := net.Listen("tcp", s.Addr())
			if err == nil {
				s.Also(l)
			}
			return err
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen in node %s: %w", x.Name, err), nodes.Close())
		}
		d.list = append(d.list, x)
	}
	return d, nil
}

func (d *devNetwork) runners(cfg *devConfig, s *server.Server, token string) []runner {
	var all []runner
	for i, x := range d.list {
		all = append(all, func(ctx context.Context) error { return runChild(ctx, x, childArgs(cfg, s, d.place, x, i), token) })
	}
	return all
}

// childArgs are the arguments of the agent that is the i-th node: it offers its share of the machine.
func childArgs(cfg *devConfig, s *server.Server, p place, x *network.Node, i int) []string {
	args := []string{
		"agent", "--server", s.URL(), "--name", p.name(i), "--zone", string(rune('a' + i%26)), "--cluster", cfg.agent.Cluster,
		"--data-dir", filepath.Join(cfg.server.DataDir, "nodes", "n"+strconv.Itoa(i+1)), "--subnet", p.subnet(i).String(),
		"--cleanup-after", cfg.agent.CleanupAfter.String(), "--end-with-stdin", "--log-level", "warn", "--fargate", "--pool", cfg.agent.Pool,
		"--address", x.Address.String(), "--share", strconv.Itoa(cfg.nodes),
	}
	args = append(args, "--image-pull", cfg.agent.PullBehavior, "--image-high", strconv.Itoa(cfg.agent.ImageHigh),
		"--image-low", strconv.Itoa(cfg.agent.ImageLow), "--image-min-age", cfg.agent.ImageMinAge.String())
	if !cfg.keepTasks {
		args = append(args, stopTasks)
	}
	args = append(args, "--runtime", cfg.agent.Runtime, "--user-base", strconv.FormatUint(uint64(cfg.agent.UserBase), 10))
	for _, dir := range cfg.agent.EFS {
		args = append(args, "--efs", dir)
	}
	if i == 0 { // GPUs are the first node's
		for _, gpu := range cfg.agent.GPUs {
			args = append(args, "--gpu", gpu)
		}
	}
	if cfg.agent.Containerd != "" {
		args = append(args, "--containerd", cfg.agent.Containerd)
	}
	return args
}

// stopTasks makes an agent remove its containers when it ends.
const stopTasks = "--stop-tasks"

// childPatience is how long a node may take to stop its tasks.
const childPatience = 40 * time.Second

// runChild runs an agent in the node's namespace, and another one when it dies, until ctx ends. An agent that did not end well
// has left its containers: unless they are to stay, one more is started that finds its leash cut, and so only cleans up.
func runChild(ctx context.Context, x *network.Node, args []string, token string) error {
	for ctx.Err() == nil {
		well, err := child(ctx, x, args, token, false)
		if err != nil || ctx.Err() != nil && well {
			return err
		}
		if ctx.Err() == nil {
			fmt.Fprintf(os.Stderr, "node %s ended, starting it again\n", x.Name)
			_ = pause(ctx, time.Second)
		}
	}
	if !slices.Contains(args, stopTasks) {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), childPatience)
	defer cancel()
	well, err := child(last, x, args, token, true)
	if err == nil && !well {
		err = fmt.Errorf("node %s could not be cleaned up", x.Name)
	}
	return err
}

// child runs one agent to its end, and says whether it ended well. Its standard input is its leash.
func child(ctx context.Context, x *network.Node, args []string, token string, cut bool) (well bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), "ROADSTEAD_TOKEN="+token)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = childPatience
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is ours to pass on
	leash, err := cmd.StdinPipe()
	if err != nil {
		return false, err
	}
	defer leash.Close()
	if err := x.Do(cmd.Start); err != nil {
		return false, fmt.Errorf("start node %s: %w", x.Name, err)
	}
	if cut {
		leash.Close()
	}
	_ = cmd.Wait() // what it had to say, it has written
	return cmd.ProcessState != nil && cmd.ProcessState.Success(), nil
}
