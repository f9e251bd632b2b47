package runtime

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/roadstead/roadstead/acs"
)

// cgroups is the machine's cgroup file systems: version 1 (one mount a controller, perhaps with an unused version 2
// beside), or version 2 alone.
type cgroups struct {
	v1 map[string]string // controller -> mount point
	v2 string            // mount point of the unified hierarchy, "" without one
}

func findCgroups() (cgroups, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return cgroups{}, fmt.Errorf("read mounts: %w", err)
	}
	defer f.Close()
	c := cgroups{v1: map[string]string{}}
	for in := bufio.NewScanner(f); in.Scan(); {
		c.add(in.Text())
	}
	return c, nil
}

// add looks at one line of mountinfo: "... mount-point options - type source super-options".
func (c *cgroups) add(line string) {
	before, after, ok := strings.Cut(line, " - ")
	fields, kind := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < 5 || len(kind) < 3 {
		return
	}
	point := fields[4]
	switch kind[0] {
	case "cgroup2":
		if c.v2 == "" {
			c.v2 = point
		}
	case "cgroup":
		for o := range strings.SplitSeq(kind[2], ",") {
			if o != "rw" && o != "ro" && c.v1[o] == "" {
				c.v1[o] = point
			}
		}
	}
}

// unified says whether version 2 holds the controllers.
func (c cgroups) unified() bool { return c.v1["memory"] == "" && c.v1["cpu"] == "" && c.v2 != "" }

// taskLimits are the limits of a whole task, in the kernel's units.
type taskLimits struct {
	shares uint64
	quota  int64 // microseconds in each cpuPeriod, 0 = none
	memory int64 // bytes, 0 = none
}

func limitsOf(t acs.Task) taskLimits {
	var l taskLimits
	if t.CPU > 0 {
		l.shares = cpuShares(int64(t.CPU * 1024))
		l.quota = max(int64(t.CPU*cpuPeriod), minCPUQuota)
	} else { // a task weighs what its containers weigh
		var units int64
		for _, c := range t.Containers {
			units += c.CPU
		}
		l.shares = cpuShares(units)
	}
	if t.Memory > 0 {
		l.memory = max(t.Memory<<20, minMemory)
	}
	return l
}

// makeTask makes the cgroup of a task at name ("/roadstead/TASKID") with its limits; again is nothing new.
func (c cgroups) makeTask(name string, l taskLimits) error {
	if c.unified() {
		return c.makeTaskV2(name, l)
	}
	if cpu := c.v1["cpu"]; cpu != "" {
		dir := filepath.Join(cpu, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make task cgroup: %w", err)
		}
		if err := write(dir, "cpu.shares", strconv.FormatUint(l.shares, 10)); err != nil {
			return err
		}
		if l.quota > 0 {
			if err := write(dir, "cpu.cfs_period_us", strconv.Itoa(cpuPeriod)); err != nil {
				return err
			}
			if err := write(dir, "cpu.cfs_quota_us", strconv.FormatInt(l.quota, 10)); err != nil {
				return err
			}
		}
	}
	if memory := c.v1["memory"]; memory != "" && l.memory > 0 {
		dir := filepath.Join(memory, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make task cgroup: %w", err)
		}
		return write(dir, "memory.limit_in_bytes", strconv.FormatInt(l.memory, 10))
	}
	return nil
}

// makeTaskV2 hands the controllers down every step of the path, then sets the limits.
func (c cgroups) makeTaskV2(name string, l taskLimits) error {
	dir := c.v2
	for _, step := range append(strings.Split(strings.Trim(name, "/"), "/"), "") {
		if err := write(dir, "cgroup.subtree_control", "+cpu +memory +pids"); err != nil {
			return err
		}
		if step == "" {
			break
		}
		dir = filepath.Join(dir, step)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make task cgroup: %w", err)
		}
	}
	if err := write(dir, "cpu.weight", strconv.FormatUint(weight(l.shares), 10)); err != nil {
		return err
	}
	if l.quota > 0 {
		if err := write(dir, "cpu.max", fmt.Sprintf("%d %d", l.quota, cpuPeriod)); err != nil {
			return err
		}
	}
	if l.memory > 0 {
		return write(dir, "memory.max", strconv.FormatInt(l.memory, 10))
	}
	return nil
}

// weight maps shares 2..262144 on version 2's 1..10000, as OCI runtimes do.
func weight(shares uint64) uint64 { return 1 + (shares-2)*9999/262142 }

func write(dir, file, text string) error {
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
		return fmt.Errorf("set cgroup: %w", err)
	}
	return nil
}

// remove removes an empty cgroup from every hierarchy; one that is in use or gone is left alone.
func (c cgroups) remove(name string) {
	for _, root := range c.roots() {
		_ = syscall.Rmdir(filepath.Join(root, name))
	}
}

// roots are the distinct mount points.
func (c cgroups) roots() []string {
	var out []string
	for _, p := range c.v1 {
		out = append(out, p)
	}
	if c.v2 != "" {
		out = append(out, c.v2)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// below lists the cgroups at name and below it, in every hierarchy, as paths of directories.
func (c cgroups) below(name string) []string {
	var out []string
	for _, root := range c.roots() {
		_ = filepath.WalkDir(filepath.Join(root, name), func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				out = append(out, p)
			}
			return nil // what vanishes meanwhile is what we want gone
		})
	}
	return out
}

// directories are those of a cgroup by controller, of version 2 the one under "".
func (c cgroups) directories(name string) map[string]string {
	if c.unified() {
		return map[string]string{"": filepath.Join(c.v2, name)}
	}
	out := make(map[string]string, len(c.v1))
	for controller, point := range c.v1 {
		out[controller] = filepath.Join(point, name)
	}
	return out
}

// oomKills counts the processes of the cgroup that the kernel killed for memory.
func (c cgroups) oomKills(name string) int {
	file := path.Join(c.v1["memory"], name, "memory.oom_control")
	if c.unified() {
		file = path.Join(c.v2, name, "memory.events")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "oom_kill" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}
