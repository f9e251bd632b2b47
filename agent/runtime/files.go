package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// Files of one container, below Config.Dir/containers/ID.
const (
	containersDir = "containers"
	stdinFifo     = "stdin"
	stdoutFifo    = "stdout"
	stderrFifo    = "stderr"
	startedMark   = "started" // its time is when the container started last
)

func (r *Runtime) dir(cid string) string { return filepath.Join(r.cfg.Dir, containersDir, cid) }

// hostname of the container: what the task asks for, the node's in mode host, else one made of the address or id.
func hostname(spec task.ContainerSpec) string {
	if spec.Config.Hostname != "" {
		return spec.Config.Hostname
	}
	if hostNetwork(spec) {
		if name, err := os.Hostname(); err == nil {
			return name
		}
	}
	if networkMode(spec) == "awsvpc" && spec.Sandbox.IPv4 != "" {
		return "ip-" + strings.ReplaceAll(spec.Sandbox.IPv4, ".", "-")
	}
	sum := sha256.Sum256([]byte(spec.ID))
	return hex.EncodeToString(sum[:6])
}

// hostsFile is the text of /etc/hosts.
func hostsFile(spec task.ContainerSpec, hostname string) string {
	var b strings.Builder
	b.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n")
	for _, h := range slices.Concat(spec.HostConfig.ExtraHosts, spec.Hosts) {
		if name, ip, ok := strings.Cut(h, ":"); ok {
			fmt.Fprintf(&b, "%s\t%s\n", ip, name)
		}
	}
	if ip := firstOf(spec.Sandbox.IPv4, "127.0.0.1"); hostname != "" {
		fmt.Fprintf(&b, "%s\t%s\n", ip, hostname)
	}
	return b.String()
}

// resolvFile is the text of /etc/resolv.conf: the container's own servers, else its network interface's, else the
// node's setting, else what the node itself uses.
func resolvFile(spec task.ContainerSpec, servers, search []string, node string) string {
	if eni := spec.Task.NetworkInterfaces; len(eni) > 0 && len(eni[0].DomainServers) > 0 {
		servers, search = eni[0].DomainServers, eni[0].DomainName
	}
	if len(spec.HostConfig.DNS) > 0 {
		servers = spec.HostConfig.DNS
	}
	if len(spec.HostConfig.DNSSearch) > 0 {
		search = spec.HostConfig.DNSSearch
	}
	if len(servers) == 0 && len(search) == 0 {
		return node
	}
	var b strings.Builder
	if len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(servers) == 0 {
		for line := range strings.Lines(node) {
			if strings.HasPrefix(line, "nameserver") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// nodeResolv reads the node's name servers. A container cannot reach a server on the node's loopback (systemd's
// stub): it gets what stands behind that one.
func nodeResolv(hostNetwork bool) string {
	b, err := os.ReadFile("/etc/resolv.conf")
	if err != nil || hostNetwork || !loopbackOnly(string(b)) {
		return string(b)
	}
	if behind, err := os.ReadFile("/run/systemd/resolve/resolv.conf"); err == nil {
		return string(behind)
	}
	return string(b)
}

func loopbackOnly(resolv string) bool {
	for line := range strings.Lines(resolv) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if ip, err := netip.ParseAddr(f[1]); err == nil && !ip.IsLoopback() {
			return false
		}
	}
	return true
}

// writeFiles makes the container's directory with the generated files of /etc and returns how to mount them.
func (r *Runtime) writeFiles(spec task.ContainerSpec, host string, base uint32) ([]task.Mount, error) {
	dir := r.dir(containerdID(spec.ID))
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make container directory: %w", err)
	}
	var out []task.Mount
	for _, f := range []struct{ name, text string }{
		{"hosts", hostsFile(spec, host)},
		{"resolv.conf", resolvFile(spec, r.cfg.DNS, r.cfg.DNSSearch, nodeResolv(hostNetwork(spec)))},
		{"hostname", host + "\n"},
	} {
		name := filepath.Join(dir, f.name)
		if err := os.WriteFile(name, []byte(f.text), 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", f.name, err)
		}
		if err := handOver(name, base); err != nil {
			return nil, fmt.Errorf("hand over %s: %w", f.name, err)
		}
		out = append(out, task.Mount{Source: name, Destination: "/etc/" + f.name})
	}
	for _, m := range spec.Mounts { // as Docker does for a path on the host that is not there
		if _, err := os.Stat(m.Source); errors.Is(err, fs.ErrNotExist) {
			if err := os.MkdirAll(m.Source, 0o755); err != nil {
				return nil, fmt.Errorf("make volume directory: %w", err)
			}
		}
	}
	return out, nil
}

// stdio are the paths that containerd gets; the fifos of a container that does not log raw exist after make.
type stdio struct{ stdin, stdout, stderr string }

func (r *Runtime) stdio(cid string, i identity) stdio {
	dir := r.dir(cid)
	io := stdio{stdout: i.log, stderr: i.log}
	if r.cfg.OpenLog != nil {
		io = stdio{stdout: filepath.Join(dir, stdoutFifo), stderr: filepath.Join(dir, stderrFifo)}
	}
	if strings.Contains(i.io, "stdin") && r.cfg.OpenLog != nil {
		io.stdin = filepath.Join(dir, stdinFifo)
	}
	if strings.Contains(i.io, "tty") {
		io.stderr = ""
	}
	return io
}

// makeStdio makes what stdio names.
func (r *Runtime) makeStdio(io stdio, i identity) error {
	if err := os.MkdirAll(filepath.Dir(i.log), 0o755); err != nil {
		return fmt.Errorf("make log directory: %w", err)
	}
	if r.cfg.OpenLog == nil {
		f, err := os.OpenFile(i.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
		if err != nil {
			return fmt.Errorf("open log: %w", err)
		}
		return f.Close()
	}
	for _, path := range []string{io.stdin, io.stdout, io.stderr} {
		if path == "" {
			continue
		}
		if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make fifo: %w", err)
		}
	}
	return nil
}

// markStarted remembers when the container started; containerd does not.
func (r *Runtime) markStarted(cid string) error {
	name := filepath.Join(r.dir(cid), startedMark)
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return fmt.Errorf("mark start: %w", err)
	}
	return nil
}

// startedAt is zero for a container that never started.
func (r *Runtime) startedAt(cid string) time.Time {
	info, err := os.Stat(filepath.Join(r.dir(cid), startedMark))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
