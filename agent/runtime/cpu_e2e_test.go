//go:build e2e

package runtime_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// meter adds up the processor time of everything that a benchmark sets to work: the test itself, containerd, shims,
// runc and containers. Wall times on a shared machine say who else was busy; this does not.
type meter struct{ file string }

// newMeter moves the process into a cgroup below root, which measures all its children together and goes before
// whatever else the machine runs. Processes inherit it; containers' cgroups are to be made below root too.
func newMeter(tb testing.TB, root string) meter {
	tb.Helper()
	dirs, weight, m := []string{"/sys/fs/cgroup/cpuacct" + root, "/sys/fs/cgroup/cpu" + root}, "cpu.shares", "cpuacct.usage"
	heaviest := "262144"
	if _, err := os.Stat("/sys/fs/cgroup/cpuacct"); err != nil {
		dirs, weight, m = []string{"/sys/fs/cgroup" + root}, "cpu.weight", "cpu.stat"
		heaviest = "10000"
	}
	move := func(dir string) {
		must(tb, os.WriteFile(filepath.Join(dir, "cgroup.procs"), strconv.AppendInt(nil, int64(os.Getpid()), 10), 0))
	}
	for _, dir := range dirs {
		self := filepath.Join(dir, "self")
		must(tb, os.MkdirAll(self, 0o755))
		move(self)
		tb.Cleanup(func() {
			move(filepath.Dir(dir))
			must(tb, os.Remove(self))
			must(tb, os.Remove(dir))
		})
	}
	must(tb, os.WriteFile(filepath.Join(dirs[len(dirs)-1], weight), []byte(heaviest), 0))
	return meter{filepath.Join(dirs[0], m)}
}

// spent is the processor time so far.
func (m meter) spent(tb testing.TB) time.Duration {
	tb.Helper()
	b, err := os.ReadFile(m.file)
	must(tb, err)
	fields, unit := bytes.Fields(b), time.Nanosecond
	if len(fields) > 1 { // version 2: "usage_usec N ..."
		fields, unit = slices.Delete(fields, 0, 1), time.Microsecond
	}
	n, err := strconv.ParseInt(string(fields[0]), 10, 64)
	must(tb, err)
	return time.Duration(n) * unit
}
