package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/roadstead/roadstead/agent/task"
)

// Foreign is what a node's network has on the machine and no task explains.
type Foreign struct {
	Namespaces []string // by name
	Links      []string // ends of veths on the bridge
	Addresses  []string // of the bridge, "10.88.0.1/16"
	Faults     []string // task ids
	// Sandboxes are files of the memory, of tasks that are not known. An agent that runs releases what they speak of.
	Sandboxes []string
}

// Empty says that there is nothing of the kind.
func (f Foreign) Empty() bool {
	return len(f.Namespaces)+len(f.Links)+len(f.Addresses)+len(f.Faults)+len(f.Sandboxes) == 0
}

// FindForeign looks at the network of a node, without disturbing an agent that runs. known reads the node's tasks: it is called after
// the look, for a sandbox is written down before it is made, and its task before that.
func FindForeign(cfg Config, known func() (map[string][]string, error)) (f Foreign, err error) {
	n := bare(cfg)
	names, err := os.ReadDir(filepath.Join(n.cfg.Dir, "netns"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("list namespaces: %w", err)
	}
	links, addresses, err := n.plugged()
	if err != nil {
		return f, err
	}
	faulty, err := n.faulty()
	if err != nil {
		return f, err
	}
	entries, err := readEntries(n.cfg.Dir)
	if err != nil {
		return f, err
	}
	tasks, err := known()
	if err != nil {
		return f, err
	}
	kept := map[string]bool{} // names of namespaces and of links
	for _, e := range entries {
		kept[e.name()], kept[e.link(n.cfg.Bridge)] = true, true
		if _, ok := tasks[e.TaskID]; !ok {
			f.Sandboxes = append(f.Sandboxes, e.file(n.cfg.Dir))
		}
	}
	for _, d := range names {
		if !kept[strings.TrimSuffix(d.Name(), userSuffix)] {
			f.Namespaces = append(f.Namespaces, d.Name())
		}
	}
	f.Links = slices.DeleteFunc(links, func(name string) bool { return kept[name] })
	f.Addresses = slices.DeleteFunc(addresses, n.belongs)
	f.Faults = slices.DeleteFunc(faulty, func(id string) bool { _, ok := tasks[id]; return ok })
	return f, nil
}

// bare is enough of a Network to look at it.
func bare(cfg Config) *Network {
	if cfg.MetadataIP == "" {
		cfg.MetadataIP = DefaultMetadataIP
	}
	cfg.Subnet = cfg.Subnet.Masked()
	return &Network{cfg: cfg, gateway: cfg.Subnet.Addr().Next()}
}

// plugged are the ends of veths on the bridge, and the bridge's addresses.
func (n *Network) plugged() (links, addresses []string, err error) {
	bridge, err := netlink.LinkByName(n.cfg.Bridge)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, fmt.Errorf("find bridge: %w", err)
	}
	all, err := netlink.LinkList()
	if err != nil {
		return nil, nil, fmt.Errorf("list links: %w", err)
	}
	for _, l := range all {
		if l.Attrs().MasterIndex == bridge.Attrs().Index && strings.HasPrefix(l.Attrs().Name, "rv") {
			links = append(links, l.Attrs().Name)
		}
	}
	addrs, err := netlink.AddrList(bridge, netlink.FAMILY_V4)
	if err != nil {
		return nil, nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		addresses = append(addresses, a.IPNet.String())
	}
	return links, addresses, nil
}

// belongs says whether the bridge is to have an address.
func (n *Network) belongs(address string) bool {
	p, err := netip.ParsePrefix(address)
	return err == nil && (p == netip.PrefixFrom(n.gateway, n.cfg.Subnet.Bits()) || p.Addr().String() == n.cfg.MetadataIP)
}

// RemoveForeign takes it off the machine; Sandboxes only if they are given, for which no agent may run.
func RemoveForeign(cfg Config, f Foreign) error {
	n := bare(cfg)
	var errs []error
	maker := &netnsMaker{filepath.Join(n.cfg.Dir, "netns")}
	for _, file := range f.Sandboxes {
		errs = append(errs, n.forget(file, maker))
	}
	for _, name := range f.Namespaces {
		errs = append(errs, maker.remove(name))
	}
	for _, name := range f.Links {
		errs = append(errs, dropLink(name))
	}
	for _, address := range f.Addresses {
		errs = append(errs, n.dropAddress(address))
	}
	for _, id := range f.Faults {
		errs = append(errs, n.atSite(task.Sandbox{TaskID: id}, (*site).end))
	}
	return errors.Join(errs...)
}

// forget removes a sandbox with all that it speaks of but its published ports, which the next agent does not publish again.
func (n *Network) forget(file string, maker *netnsMaker) error {
	entries, err := readEntries(n.cfg.Dir)
	for _, e := range entries {
		if e.file(n.cfg.Dir) == file {
			err = errors.Join(err, maker.remove(e.name()), dropLink(e.link(n.cfg.Bridge)), e.forget(n.cfg.Dir))
		}
	}
	return err
}

func dropLink(name string) error {
	l, err := netlink.LinkByName(name)
	if _, missing := errors.AsType[netlink.LinkNotFoundError](err); missing {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err != nil {
		return fmt.Errorf("remove link %s: %w", name, err)
	}
	return nil
}

func (n *Network) dropAddress(address string) error {
	bridge, err := netlink.LinkByName(n.cfg.Bridge)
	if err != nil {
		return fmt.Errorf("find bridge: %w", err)
	}
	ip, block, err := net.ParseCIDR(address)
	if err != nil {
		return err
	}
	if err := netlink.AddrDel(bridge, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: block.Mask}}); err != nil {
		return fmt.Errorf("remove address %s of the bridge: %w", address, err)
	}
	return nil
}
