//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// leftovers is what an environment occupies on the machine.
type leftovers struct {
	Processes []string // "PID CMDLINE" of all that name its directory
	Shims     []string // those of them that are containerd's shims
	Mounts    []string
	Cgroups   []string // below the nodes' own
	Netns     []string // mount points of network namespaces
	Links     []string // bridges, and what is plugged into them
	Nft       []string // tables
	Rules     int      // rules and map elements of published ports in these tables
	Snapshots []string // writable ones of containerd
}

func (l leftovers) empty() bool {
	return len(l.Processes)+len(l.Mounts)+len(l.Cgroups)+len(l.Netns)+len(l.Links)+len(l.Nft)+len(l.Snapshots) == 0
}

func (l leftovers) String() string {
	return fmt.Sprintf("processes %s, mounts %s, cgroups %s, namespaces %s, links %s, nft %s, snapshots %s", short(l.Processes),
		short(l.Mounts), short(l.Cgroups), short(l.Netns), short(l.Links), short(l.Nft), short(l.Snapshots))
}

// ofTasks is what of it belongs to tasks: a node at rest has its containerd, its log keeper, its bridge and its table.
func (l leftovers) ofTasks() map[string]int {
	ports := 0
	for _, link := range l.Links {
		if strings.Contains(link, "/") { // BRIDGE/PORT
			ports++
		}
	}
	return map[string]int{"shims": len(l.Shims), "mounts": len(l.Mounts) - len(l.Netns), "cgroups": len(l.Cgroups),
		"namespaces": len(l.Netns), "veths": ports, "rules": l.Rules, "snapshots": len(l.Snapshots)}
}

// nodes are the names of the environment's nodes.
func (e *Env) nodes() []string {
	if e.Node == "dev" {
		return []string{"dev", "n1", "n2", "n3"}
	}
	return []string{e.Node}
}

// Leftovers looks at the machine.
func (e *Env) Leftovers() leftovers {
	var l leftovers
	for pid, args := range processes() {
		line := strings.Join(args, " ")
		if !strings.Contains(line, e.Dir+"/") {
			continue
		}
		l.Processes = append(l.Processes, fmt.Sprintf("%d %s", pid, line))
		if strings.Contains(args[0], "containerd-shim") {
			l.Shims = append(l.Shims, strconv.Itoa(pid))
		}
	}
	for _, m := range mounts() {
		if strings.HasPrefix(m, e.Dir+"/") && !slices.Contains(e.disks, m) {
			l.Mounts = append(l.Mounts, m)
			if strings.Contains(m, "/netns/") {
				l.Netns = append(l.Netns, m)
			}
		}
	}
	for _, n := range e.nodes() {
		l.node(n)
	}
	if socket := filepath.Join(e.Dir, "n", "containerd", "containerd.sock"); e.Agent != nil && e.Agent.alive() {
		l.Snapshots = snapshots(socket, e.Node)
	} else if e.Dev != nil && e.Dev.alive() {
		l.Snapshots = snapshots(filepath.Join(e.Dir, "d", "node", "containerd", "containerd.sock"), e.Node)
	}
	return l
}

// node adds what carries the node's name.
func (l *leftovers) node(name string) {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/roadstead/" + name)
	for _, root := range append(roots, "/sys/fs/cgroup/roadstead/"+name) {
		_ = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && p != root {
				l.Cgroups = append(l.Cgroups, p)
			}
			return nil // what goes meanwhile is gone
		})
	}
	for _, bridge := range []string{"rs-" + name, "rs-nodes"} {
		if _, err := os.Stat("/sys/class/net/" + bridge); err != nil || bridge == "rs-nodes" && name != "dev" {
			continue
		}
		l.Links = append(l.Links, bridge)
		ports, _ := filepath.Glob("/sys/class/net/" + bridge + "/brif/*")
		for _, p := range ports {
			l.Links = append(l.Links, bridge+"/"+filepath.Base(p))
		}
	}
	table := "roadstead-rs-" + name
	if out, err := exec.Command("nft", "list", "table", "ip", table).Output(); err == nil {
		l.Nft = append(l.Nft, table)
		l.Rules += strings.Count(string(out), " : ") - strings.Count(string(out), "type inet_service : ") // elements of the port maps
	}
}

// processes maps the machine's processes to their arguments.
func processes() map[int][]string {
	out := map[int][]string{}
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range all {
		b, err := os.ReadFile(p)
		pid, aerr := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil && aerr == nil && len(b) > 0 && pid != os.Getpid() {
			out[pid] = strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
		}
	}
	return out
}

func mounts() []string {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	var out []string
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
		if f := strings.Fields(in.Text()); len(f) > 4 {
			out = append(out, f[4])
		}
	}
	return out
}

// snapshots lists the writable snapshots of a node with containerd's own command.
func snapshots(socket, node string) []string {
	out, err := exec.Command("ctr", "--address", socket, "--namespace", "roadstead-"+node, "snapshots", "ls").Output()
	if err != nil {
		return []string{"ctr: " + err.Error()}
	}
	var active []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 && f[len(f)-1] == "Active" {
			active = append(active, f[0])
		}
	}
	return active
}

// sweep takes away what a failed test has left, so that the next one finds a clean machine.
func (e *Env) sweep() {
	l := e.Leftovers()
	for _, p := range l.Processes {
		if pid, err := strconv.Atoi(strings.Fields(p)[0]); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	slices.Reverse(l.Mounts)
	for _, m := range l.Mounts {
		_ = syscall.Unmount(m, syscall.MNT_DETACH)
	}
	slices.Reverse(l.Cgroups)
	for _, c := range l.Cgroups {
		procs, _ := os.ReadFile(filepath.Join(c, "cgroup.procs")) // of containers whose shim is gone
		for p := range strings.FieldsSeq(string(procs)) {
			if pid, err := strconv.Atoi(p); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = syscall.Rmdir(c)
	}
	for _, link := range l.Links {
		if !strings.Contains(link, "/") {
			_ = exec.Command("ip", "link", "del", link).Run()
		}
	}
	for _, table := range l.Nft {
		_ = exec.Command("nft", "delete", "table", "ip", table).Run()
	}
}
