// Package network gives containers their network sandboxes: one bridge a node, a named network namespace with a
// veth and an address a sandbox, outbound masquerade, and published ports by nftables. Everything happens in the
// network namespace of the process.
//
// It must not know containers, images or the control plane. Its memory is one small file a sandbox, written before
// anything is made and removed after everything is gone, so that a kill at any step leaves nothing unlisted.
package network

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Config describes a node's network.
type Config struct {
	Dir    string       // memory and namespaces; on /run or wherever is lost with the machine's kernel state or not
	Bridge string       // name of the bridge, at most 15 bytes; default "rs0". It names the nft table too
	Subnet netip.Prefix // of the containers, the first address is the bridge's; default 10.88.0.0/16
	MTU    int          // default: the bridge's own, 1500
	// MetadataIP is an address that the bridge has besides, at whose port 80 containers find the node's metadata server;
	// default DefaultMetadataIP, "-" for none. The server itself listens at Metadata.
	MetadataIP string
	// UserBase is the first of 65,536 users of the machine that those of isolated sandboxes are; 0: there are no user namespaces.
	UserBase uint32
	Logger   *slog.Logger
}

// Network implements task.Network. Run must run for released addresses and ports to become free again.
type Network struct {
	cfg     Config
	gateway netip.Addr
	bridge  int // its index
	nft     *ruleset
	netns   *netnsMaker
	dying   chan *entry // released entries whose link the kernel still removes; Run is the only reader

	mu      sync.Mutex
	entries map[string]*entry // by key; guarded by mu
	addrs   addresses         // guarded by mu
	ports   ports             // guarded by mu
	locks   map[string]*keyLock
}

// keyLock makes Setup and Release of one sandbox wait for each other.
type keyLock struct {
	mu    sync.Mutex
	users int // guarded by Network.mu
}

// New makes the bridge and the nft table if they are not there, and learns from Dir what earlier processes made.
func New(ctx context.Context, cfg Config) (*Network, error) {
	if cfg.Bridge == "" {
		cfg.Bridge = "rs0"
	}
	if !cfg.Subnet.IsValid() {
		cfg.Subnet = netip.MustParsePrefix("10.88.0.0/16")
	}
	if cfg.MetadataIP == "" {
		cfg.MetadataIP = DefaultMetadataIP
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Dir == "" || len(cfg.Bridge) > 15 || !cfg.Subnet.Addr().Is4() || cfg.Subnet.Bits() > 30 {
		return nil, errors.New("network needs a directory, a bridge name of at most 15 bytes and an IPv4 subnet")
	}
	cfg.Subnet = cfg.Subnet.Masked()
	n := &Network{
		cfg: cfg, gateway: cfg.Subnet.Addr().Next(),
		entries: map[string]*entry{}, locks: map[string]*keyLock{}, dying: make(chan *entry, 1024),
	}
	n.addrs = newAddresses(cfg.Subnet)
	n.ports = newPorts(dynamicRange())
	var err error
	if n.netns, err = newNetnsMaker(filepath.Join(cfg.Dir, "netns")); err != nil {
		return nil, err
	}
	if err := n.makeBridge(); err != nil {
		return nil, err
	}
	n.nft = newRuleset(cfg.Bridge, cfg.Subnet)
	if ip, err := netip.ParseAddr(cfg.MetadataIP); err == nil {
		n.nft.metadata, n.nft.server, n.nft.endpoint = ip, n.Metadata(), n.Endpoint()
	}
	published, err := n.load()
	if err != nil {
		return nil, err
	}
	if err := n.nft.reset(published); err != nil {
		return nil, err
	}
	if err := n.nft.acceptForwarding(); err != nil {
		return nil, err
	}
	n.complete()
	return n, ctx.Err()
}

// complete builds what an earlier process wrote down and did not get to build, because List promises it to be there. What
// cannot be built is released: it will be asked for again.
func (n *Network) complete() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.entries {
		if e.Released {
			continue
		}
		if err := n.build(e); err != nil {
			n.cfg.Logger.Warn("complete a sandbox", "task", e.TaskID, "container", e.Container, "err", err)
			e.Released = true
			if err := e.save(n.cfg.Dir); err != nil {
				n.cfg.Logger.Warn("release a sandbox", "task", e.TaskID, "container", e.Container, "err", err)
			}
		}
	}
}

// load takes over the files of earlier processes and returns what of them is published.
func (n *Network) load() ([]published, error) {
	if err := os.MkdirAll(sandboxesDir(n.cfg.Dir), 0o700); err != nil {
		return nil, fmt.Errorf("make sandbox directory: %w", err)
	}
	entries, err := readEntries(n.cfg.Dir)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []published
	for _, e := range entries {
		n.entries[e.key()] = e
		if ip, err := netip.ParseAddr(e.IPv4); err == nil {
			n.addrs.take(ip)
		}
		n.ports.take(e.Bindings)
		if !e.Released {
			out = append(out, e.published())
		}
	}
	return out, nil
}

// Bridge is the name of the node's bridge and Gateway its address, which containers reach the node by.
func (n *Network) Bridge() string      { return n.cfg.Bridge }
func (n *Network) Gateway() netip.Addr { return n.gateway }

// Subnet is that of the node's tasks.
func (n *Network) Subnet() netip.Prefix { return n.cfg.Subnet }

// Setup implements task.Network. A port that is taken is a *task.Failure "CannotStartContainerError", all else
// "ContainerNetworkingError".
func (n *Network) Setup(ctx context.Context, req task.SandboxRequest) (task.Sandbox, error) {
	switch req.Mode {
	case "host", "none":
		return task.Sandbox{TaskID: req.TaskID, Container: req.Container, Mode: req.Mode, Bindings: hostBindings(req)}, nil
	case "bridge", "awsvpc", "":
	default:
		return task.Sandbox{}, &task.Failure{Name: networkingError, Err: fmt.Errorf("network mode %q is not supported", req.Mode)}
	}
	if req.Mode == "" {
		req.Mode = "bridge"
	}
	unlock := n.lock(sandboxKey(req.TaskID, req.Container))
	defer unlock()
	e, err := n.reserve(req)
	if err != nil {
		return task.Sandbox{}, fail(err)
	}
	if err := n.build(e); err != nil {
		if ctx.Err() != nil {
			return task.Sandbox{}, ctx.Err()
		}
		return task.Sandbox{}, fail(err) // the entry stays: Setup again or Release converges
	}
	return e.sandbox(n.netns), ctx.Err()
}

const (
	networkingError = "ContainerNetworkingError"
	startError      = "CannotStartContainerError"
)

func fail(err error) error {
	if _, ok := errors.AsType[*task.Failure](err); ok {
		return err
	}
	return &task.Failure{Name: networkingError, Err: err}
}

// hostBindings reports the ports of a container in the node's own network: they are what they are.
func hostBindings(req task.SandboxRequest) []task.Binding {
	if req.Mode != "host" {
		return nil
	}
	var out []task.Binding
	for _, p := range req.Ports {
		b := task.Binding{BindIP: anyIP, Protocol: protocol(p), ContainerRange: p.ContainerRange, HostRange: p.ContainerRange}
		if p.ContainerRange == "" {
			b.ContainerPort, b.HostPort = p.ContainerPort, p.ContainerPort
		}
		out = append(out, b)
	}
	return out
}

// reserve returns the sandbox's entry, choosing address and ports and writing it down if it is new.
func (n *Network) reserve(req task.SandboxRequest) (*entry, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := sandboxKey(req.TaskID, req.Container)
	if e := n.entries[key]; e != nil && !e.Released {
		return e, nil
	} else if e != nil { // its predecessor is still going: finish that first
		if err := n.finish(e); err != nil {
			return nil, err
		}
	}
	e, err := n.choose(req)
	if err != nil { // perhaps a task that is STOPPED already still has it: its link may be gone any moment
		if ended := n.finishReleased(); ended != nil {
			return nil, errors.Join(err, ended)
		}
		if e, err = n.choose(req); err != nil {
			return nil, err
		}
	}
	if err := e.save(n.cfg.Dir); err != nil {
		if ip, perr := netip.ParseAddr(e.IPv4); perr == nil {
			n.addrs.free(ip)
		}
		n.ports.free(e.Bindings)
		return nil, err
	}
	n.entries[key] = e
	return e, nil
}

// choose takes an address, and in bridge mode ports, for a new sandbox. It wants n.mu.
func (n *Network) choose(req task.SandboxRequest) (*entry, error) {
	ip, err := n.chooseAddress(req.ENI)
	if err != nil {
		return nil, err
	}
	e := &entry{TaskID: req.TaskID, Container: req.Container, Mode: req.Mode, IPv4: ip.String(), MAC: macOf(req.ENI, ip), Gateway: n.gateway.String()}
	if req.Isolated {
		e.UserBase = n.cfg.UserBase
	}
	if req.Proxy != nil {
		if e.Redirection, err = req.Proxy.Redirection(); err != nil {
			n.addrs.free(ip)
			return nil, fmt.Errorf("proxyConfiguration: %w", err)
		}
	}
	if req.Mode == "bridge" {
		if e.Bindings, err = n.ports.choose(req.Ports, portFree); err != nil {
			n.addrs.free(ip)
			return nil, err
		}
	}
	return e, nil
}

// finishReleased removes the links of all released sandboxes at once, and so frees their addresses and ports. It wants
// n.mu.
func (n *Network) finishReleased() error {
	var err error
	for _, e := range n.entries {
		if e.Released {
			err = errors.Join(err, n.finish(e))
		}
	}
	return err
}

// chooseAddress takes the interface's own address, or any free one.
func (n *Network) chooseAddress(eni *acs.ENI) (netip.Addr, error) {
	if eni == nil || len(eni.IPv4) == 0 {
		return n.addrs.next()
	}
	want := eni.IPv4[0].Address
	for _, a := range eni.IPv4 {
		if a.Primary {
			want = a.Address
		}
	}
	ip, err := netip.ParseAddr(want)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("address of the network interface: %w", err)
	}
	if !n.addrs.take(ip) {
		return netip.Addr{}, fmt.Errorf("address %s is in use", ip)
	}
	return ip, nil
}

// build makes what the entry says, as far as it is not there.
func (n *Network) build(e *entry) error {
	if err := n.netns.make(e.name(), e.UserBase); err != nil {
		return err
	}
	if err := n.attach(e); err != nil {
		return err
	}
	if err := n.redirect(e); err != nil { // before any container starts
		return err
	}
	return n.nft.publish(e.published())
}

// Release implements task.Network. When it returns nothing can reach the sandbox any more; the kernel removes the
// link a little later, and only then Run frees address and ports.
func (n *Network) Release(ctx context.Context, taskID, container string) error {
	key := sandboxKey(taskID, container)
	unlock := n.lock(key)
	defer unlock()
	n.mu.Lock()
	e := n.entries[key]
	n.mu.Unlock()
	if e == nil {
		return n.endFaults(taskID)
	}
	if e.Released {
		return nil
	}
	if err := n.nft.unpublish(e.published()); err != nil {
		return err
	}
	if err := n.netns.remove(e.name()); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e.Released = true
	if err := e.save(n.cfg.Dir); err != nil {
		return err
	}
	select {
	case n.dying <- e:
	default: // Run looks through all entries from time to time
	}
	return nil
}

// List implements task.Network. It reads the files, which are the truth for whoever else looks at the node.
func (n *Network) List(context.Context) ([]task.Sandbox, error) {
	entries, err := readEntries(n.cfg.Dir)
	if err != nil {
		return nil, err
	}
	out := []task.Sandbox{}
	for _, e := range entries {
		if !e.Released {
			out = append(out, e.sandbox(n.netns))
		}
	}
	sortSandboxes(out)
	return out, nil
}

// Cleanup takes the node's network off the machine: every sandbox, the bridge, the nft table, the memory. No other
// method may run then or later.
func (n *Network) Cleanup(ctx context.Context) error {
	all, err := n.List(ctx)
	for _, s := range all {
		err = errors.Join(err, n.Release(ctx, s.TaskID, s.Container))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.entries {
		err = errors.Join(err, n.finish(e))
	}
	err = errors.Join(err, n.EndFaults(), n.nft.remove())
	if l, lerr := netlink.LinkByName(n.cfg.Bridge); lerr == nil {
		err = errors.Join(err, netlink.LinkDel(l))
	}
	return errors.Join(err, n.netns.close(), os.RemoveAll(n.cfg.Dir))
}

func (n *Network) lock(key string) (unlock func()) {
	n.mu.Lock()
	l := n.locks[key]
	if l == nil {
		l = &keyLock{}
		n.locks[key] = l
	}
	l.users++
	n.mu.Unlock()
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		n.mu.Lock()
		defer n.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(n.locks, key)
		}
	}
}

// sandboxKey names a sandbox; neither part can hold a slash.
func sandboxKey(taskID, container string) string { return taskID + "/" + container }

// shortHash makes names that the kernel bounds to 15 bytes.
func shortHash(parts ...string) string {
	h := fnv.New64a()
	h.Write([]byte(strings.Join(parts, "\x00")))
	return fmt.Sprintf("%011x", h.Sum64()&(1<<44-1))
}
