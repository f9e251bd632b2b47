//go:build e2e

package conformance_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dev is the one server of a run.
type dev struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when the process has ended
}

// startDev runs `roadstead dev` on a free port and waits until it is ready.
func startDev() (*dev, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if target.sink, err = freeAddress(address); err != nil {
		return nil, err
	}
	d := &dev{log: filepath.Join(target.dir, "dev.log"), ended: make(chan struct{})}
	out, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	d.cmd = exec.Command(target.binary, "dev", "--name", "dev", "--listen", address, "--data-dir", filepath.Join(target.dir, "d"),
		"--log-destinations", "http://"+target.sink)
	d.cmd.Stderr = out
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // a test that is killed takes it along
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() { // ends with the process
		defer close(d.ended)
		for in := bufio.NewScanner(stdout); in.Scan(); {
			if url, ok := strings.CutPrefix(in.Text(), "ready "); ok {
				ready <- url
			}
		}
		_ = d.cmd.Wait()
	}()
	select {
	case target.endpoint = <-ready:
		return d, nil
	case <-d.ended:
		err = fmt.Errorf("roadstead dev ended before it was ready: %s", d.cmd.ProcessState)
	case <-time.After(60 * time.Second):
		err = fmt.Errorf("roadstead dev is not ready after a minute")
		_ = d.stop()
	}
	return nil, fmt.Errorf("%w\n%s", err, tail(d.log, 40))
}

// freeAddress returns a loopback address that nobody listens on, and that is none of those that are taken. Its port is outside of the dynamic range, from which the
// node gives ports to tasks.
func freeAddress(taken ...string) (string, error) {
	for i := range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 27000+(os.Getpid()+i)%3000)
		if slices.Contains(taken, address) {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err == nil {
			defer l.Close()
			return l.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("no free port")
}

// stop ends the server as a user would. It has to exit with 0 and leave nothing behind; what it leaves all the same is
// taken away once it has been told.
func (d *dev) stop() error {
	defer sweep()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(60 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.ended
		return fmt.Errorf("roadstead dev did not end a minute after SIGTERM\n%s", tail(d.log, 40))
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("roadstead dev ended with %d\n%s", code, tail(d.log, 40))
	}
	if left := leftovers(); len(left) > 0 {
		return fmt.Errorf("roadstead dev left behind:\n%s", strings.Join(left, "\n"))
	}
	return nil
}

// leftovers are processes and mounts (network namespaces are mounted too) below our directory, the node's bridge, its nft
// table and its cgroups.
func leftovers() (left []string) {
	for pid, line := range processes() {
		left = append(left, fmt.Sprint("process ", pid, " ", line))
	}
	for _, m := range mounts() {
		left = append(left, "mount "+m)
	}
	if _, err := net.InterfaceByName("rs-dev"); err == nil {
		left = append(left, "bridge rs-dev")
	}
	if exec.Command("nft", "list", "table", "ip", "roadstead-rs-dev").Run() == nil {
		left = append(left, "nft table roadstead-rs-dev")
	}
	for _, pattern := range []string{"/sys/fs/cgroup/roadstead/dev/*/", "/sys/fs/cgroup/*/roadstead/dev/*/"} {
		groups, _ := filepath.Glob(pattern)
		for _, g := range groups {
			left = append(left, "cgroup "+g)
		}
	}
	return left
}

// sweep ends the processes and mounts that are left.
func sweep() {
	for pid := range processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, m := range slices.Backward(mounts()) { // the inner ones come last
		_ = syscall.Unmount(m, syscall.MNT_DETACH)
	}
}

// processes are those whose command line names our directory, which no other run has.
func processes() map[int]string {
	out := map[int]string{}
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range all {
		b, err := os.ReadFile(p)
		pid, notPID := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if line := strings.ReplaceAll(string(b), "\x00", " "); err == nil && notPID == nil && strings.Contains(line, target.dir+"/") {
			out[pid] = line
		}
	}
	return out
}

// mounts are the mount points below our directory.
func mounts() (out []string) {
	b, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], target.dir+"/") {
			out = append(out, f[4])
		}
	}
	return out
}

// tail returns the last lines of a file.
func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
