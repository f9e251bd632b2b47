//go:build e2e

package volumes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
)

// What is mounted is unmounted and never removed, by whatever path the node's directory is reached.
func TestMountsBehindLinks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	outside, at, link := t.TempDir(), filepath.Join(t.TempDir(), "a[b*"), filepath.Join(t.TempDir(), "link")
	must(t, os.WriteFile(filepath.Join(outside, "kept"), nil, 0o600))
	must(t, os.Mkdir(at, 0o711))
	must(t, os.Symlink(at, link))
	bind := acs.Volume{Name: "bind", Type: "docker", Docker: &acs.DockerVolume{Scope: "task", DriverOpts: map[string]string{"device": outside, "o": "bind", "type": "none"}}}
	for _, dir := range []string{at, link} {
		v := open(t, dir)
		for range 2 {
			attach(t, v, "t1", bind)
		}
		source := filepath.Join(at, "tasks", "t1", "bind", dataName)
		if n := mounts(t, source); n != 1 {
			t.Errorf("%s: mounted %d times", dir, n)
		}
		must(t, v.Remove(t.Context(), "t1"))
		if _, err := os.Stat(filepath.Join(outside, "kept")); err != nil || mounts(t, source) != 0 {
			t.Fatalf("%s: %v, mounted %d times", dir, err, mounts(t, source))
		}
	}
}

// [D] SEMANTICS §13.5: volumes of the local driver with options are mounted while a task uses them, over restarts of the agent
// and of the machine.
func TestMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	v := open(t, dir)
	scratch := docker("scratch", "shared", true)
	scratch.Docker.DriverOpts = map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1000,noexec"}
	source := attach(t, v, "t1", scratch)
	must(t, os.WriteFile(filepath.Join(source, "x"), nil, 0o600))
	must(t, os.WriteFile(source+".seeded", nil, 0o600))
	attach(t, v, "t2", scratch)
	v = open(t, dir) // another agent
	must(t, v.Detach(t.Context(), "t1"))
	if _, err := os.Stat(filepath.Join(source, "x")); err != nil || mounts(t, source) != 1 {
		t.Errorf("another task lost its volume: %v, %d mounts", err, mounts(t, source))
	}
	if err := os.WriteFile(filepath.Join(source, "big"), make([]byte, 2<<20), 0o600); err == nil {
		t.Error("the tmpfs has no size")
	}
	must(t, unmount(source)) // as after a reboot
	attach(t, v, "t2", scratch)
	if _, err := os.Stat(source + ".seeded"); !os.IsNotExist(err) {
		t.Errorf("a new tmpfs counts as filled: %v", err)
	}
	must(t, v.Remove(t.Context(), "t2"))
	if mounts(t, source) != 0 {
		t.Error("it is still mounted")
	}

	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "kept"), nil, 0o600))
	bind := acs.Volume{Name: "bind", Type: "docker", Docker: &acs.DockerVolume{Scope: "task", DriverOpts: map[string]string{"device": outside, "o": "bind,ro", "type": "none"}}}
	source = attach(t, v, "t3", bind)
	if err := os.WriteFile(filepath.Join(source, "y"), nil, 0o600); err == nil {
		t.Error("a volume that is read-only was written")
	}
	must(t, os.Remove(filepath.Join(dir, "tasks", "t3", "bind", usersName, "t3"))) // the note of its user is lost
	must(t, v.Remove(t.Context(), "t3"))
	if _, err := os.Stat(filepath.Join(outside, "kept")); err != nil || mounts(t, source) != 0 {
		t.Errorf("what was mounted is gone: %v", err)
	}
	bind.Docker.DriverOpts["device"] = filepath.Join(outside, "nosuch")
	if _, err := v.Attach(t.Context(), "t4", bind); err == nil || !strings.HasPrefix(err.Error(), "CannotCreateVolumeError: volume bind: failed to mount local volume: ") {
		t.Errorf("error %v", err)
	}
	must(t, v.Remove(t.Context(), "t4"))
}

// [D] SEMANTICS §4.2: a task's storage has its size, is found again by the next agent, and goes with the task.
func TestStorage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	at, err := open(t, dir).Storage(t.Context(), "t1", 21)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(at, "x"), make([]byte, 1<<20), 0o600))
	v := open(t, dir)
	again, err := v.Storage(t.Context(), "t1", 21)
	must(t, err)
	var fs unix.Statfs_t
	must(t, unix.Statfs(again, &fs))
	if gib := float64(fs.Blocks) * float64(fs.Bsize) / (1 << 30); again != at || gib < 20.5 || gib > 21 || mounts(t, at) != 1 {
		t.Errorf("%s, then %s of %.2f GiB, %d mounts", at, again, gib, mounts(t, at))
	}
	if ids, err := v.List(t.Context()); err != nil || len(ids) != 1 {
		t.Errorf("tasks %v, %v", ids, err)
	}
	if used, reserved, ok := v.StorageUsed("t1"); !ok || used < 1 || used > 10 || reserved < 20500 {
		t.Errorf("%d of %d MiB are used, %v", used, reserved, ok)
	}
	if _, _, ok := v.StorageUsed("t2"); ok {
		t.Error("a task without storage has some")
	}
	must(t, v.Detach(t.Context(), "t1"))
	must(t, v.Remove(t.Context(), "t1"))
	if _, err := os.Stat(filepath.Join(dir, "tasks", "t1")); !os.IsNotExist(err) || mounts(t, at) != 0 {
		t.Errorf("it is left: %v", err)
	}
}

func mounts(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	return strings.Count(string(b), " "+dir+" ")
}
