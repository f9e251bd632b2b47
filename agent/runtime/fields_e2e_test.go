//go:build e2e

package runtime_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// wantLines says that a container's output has all the lines.
func wantLines(t *testing.T, out string, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if !strings.Contains("\n"+strings.ReplaceAll(out, "\r", ""), "\n"+want+"\n") {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
}

// [D] SEMANTICS §4.1: what linuxParameters and its neighbours ask for is there. One container has many of them, for each start takes time.
func TestFieldsOfOneContainer(t *testing.T) {
	e := newEnv(t)
	device := filepath.Join(e.dir, "device")
	must(t, syscall.Mknod(device, syscall.S_IFCHR|0o600, 1<<8|5)) // /dev/zero under another name, which all containers may use
	other := filepath.Join(e.dir, "other")
	must(t, syscall.Mknod(other, syscall.S_IFCHR|0o600, 1<<8|11)) // /dev/kmsg, which they may not
	t.Run("linuxParameters, systemControls, names", func(t *testing.T) {
		spec := e.spec("many", `
			echo "init $(cat /proc/1/comm)"
			echo "device $(head -c 3 /dev/mine | tr '\0' x)"
			(: > /dev/other) 2>/dev/null || echo "device is read-only"
			echo "shm $(df -m /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2)"
			grep -q '/scratch tmpfs .*noexec.*size=2048k' /proc/mounts && echo "tmpfs is right"
			echo "msgmax $(cat /proc/sys/kernel/msgmax)"
			echo "somaxconn $(cat /proc/sys/net/core/somaxconn)"
			touch /x 2>/dev/null || echo "root is read-only"
			grep NoNewPrivs /proc/self/status | tr '\t' ' '
			grep "^10.9.8.7" /etc/hosts | tr '\t' ' '; grep "^10.9.8.6" /etc/hosts | tr '\t' ' '
			cat /etc/resolv.conf
			ls -d /proc/self/fd/0 >/dev/null && head -c 0 && echo "stdin is open"`)
		spec.HostConfig = acs.HostConfig{
			Init: new(true), ReadonlyRootfs: true, ShmSize: 8 << 20, SecurityOpt: []string{"no-new-privileges"},
			Devices: []acs.Device{
				{PathOnHost: device, PathInContainer: "/dev/mine", CgroupPermissions: "r"}, {PathOnHost: other, PathInContainer: "/dev/other", CgroupPermissions: "r"},
			},
			Tmpfs: map[string]string{"/scratch": "size=2m"}, DNS: []string{"192.0.2.53"}, DNSSearch: []string{"example.test"},
			Sysctls:    map[string]string{"kernel.msgmax": "12345", "net.core.somaxconn": "77"},
			ExtraHosts: []string{"extra:10.9.8.7"},
		}
		spec.Hosts = []string{"linked:10.9.8.6"}
		spec.Config.OpenStdin = true
		code, out := e.output(t, spec)
		wantLines(t, out, "init init", "device xxx", "device is read-only", "shm 8", "tmpfs is right", "msgmax 12345", "somaxconn 77",
			"root is read-only", "NoNewPrivs: 1", "10.9.8.7 extra", "10.9.8.6 linked", "nameserver 192.0.2.53", "search example.test", "stdin is open")
		if code != 0 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("initProcessEnabled", func(t *testing.T) { // signals go through it, orphans are collected, the exit code comes back
		spec := e.spec("init", `(sleep 0.05 & exec true); trap 'exit 23' TERM; sleep 0.2; grep -l '^State:.Z' /proc/[0-9]*/status; echo ready; while :; do sleep 0.05; done`)
		spec.HostConfig.Init = new(true)
		e.start(t, spec)
		eventually(t, 10*time.Second, func() bool { return strings.Contains(e.log(t, spec), "ready") })
		must(t, e.rt.Signal(within(t, time.Minute), "init", ""))
		if s := e.awaitStopped(t, "init"); s.ExitCode != 23 {
			t.Errorf("exit %d", s.ExitCode)
		}
		must(t, e.rt.Delete(within(t, time.Minute), "init"))
		if out := e.log(t, spec); out != "ready\n" {
			t.Errorf("output %q: a zombie is left", out)
		}
	})
	t.Run("interactive, pseudoTerminal", func(t *testing.T) {
		spec := e.spec("tty", "[ -t 0 ] && [ -t 1 ] && echo terminal $TERM")
		spec.Config.Tty, spec.Config.OpenStdin = true, true
		_, out := e.output(t, spec)
		wantLines(t, out, "terminal xterm")
	})
	t.Run("privileged", func(t *testing.T) {
		spec := e.spec("privileged", `grep CapEff /proc/self/status | tr '\t' ' '; grep Seccomp: /proc/self/status | tr '\t' ' '; ls /dev/mem >/dev/null 2>&1 || ls /dev/kmsg >/dev/null && echo devices; grep -q ' /sys sysfs rw' /proc/mounts && echo writable`)
		spec.HostConfig.Privileged = true
		_, out := e.output(t, spec)
		wantLines(t, out, "Seccomp: 0", "devices", "writable")
		if strings.Contains(out, "CapEff: 00000000") {
			t.Errorf("few capabilities: %s", out)
		}
	})
	t.Run("seccomp, capabilities", func(t *testing.T) { // Docker's profile refuses a new user namespace and the keyring
		spec := e.spec("confined", `/bin/busybox unshare -U true 2>/dev/null || echo refused; grep Seccomp: /proc/self/status | tr '\t' ' '; grep CapBnd /proc/self/status | tr '\t' ' '`)
		spec.HostConfig.CapDrop, spec.HostConfig.CapAdd = []string{"MKNOD"}, []string{"SYS_PTRACE"}
		_, out := e.output(t, spec)
		wantLines(t, out, "refused", "Seccomp: 2", "CapBnd: 00000000a00c25fb")
	})
	e.leftovers(t)
}

// [D] SEMANTICS §13.5: the image's content is copied into a volume that is mounted first, with owners and modes; an image's VOLUME
// is one, also under a read-only root and for volumesFrom; afterwards nothing is left.
func TestVolumes(t *testing.T) {
	e := newEnv(t)
	e.push(t, "vol:1", v1.Config{Cmd: []string{"/bin/sh"}, Volumes: map[string]struct{}{"/home/app": {}, "/fresh": {}}})
	_, err := e.rt.Pull(within(t, time.Minute), e.image("vol:1"), nil)
	must(t, err)
	data := filepath.Join(e.dir, "data")
	must(t, os.Mkdir(data, 0o755))
	first := e.spec("first", `stat -c '%n %a %u:%g' /home/app /home/app/notes /v /v/app/notes /fresh; cat /v/app/notes; echo mine > /home/app/mine; echo new > /v/app/notes; touch /no 2>/dev/null || echo read-only; sleep 1000`)
	first.TaskID, first.Name, first.Image = "vols", "first", e.image("vol:1")
	first.ID = task.ContainerID("vols", "first")
	first.Mounts = []task.Mount{{Source: data, Destination: "/v", Seed: true}}
	first.HostConfig.ReadonlyRootfs = true
	seed := first
	seed.ID, seed.Name = task.ContainerID("vols", "seed"), "seed"
	seed.Mounts = []task.Mount{{Source: data, Destination: "/home", Seed: true}}
	seed.Container.Command = []string{"/bin/true"}
	must(t, e.rt.Create(within(t, time.Minute), seed)) // the first one decides what is in it
	e.start(t, first)
	eventually(t, 10*time.Second, func() bool { return strings.Contains(e.log(t, first), "read-only") })
	wantLines(t, e.log(t, first), "/home/app 750 1234:2345", "/home/app/notes 640 1234:2345", "/v 755 0:0", "/v/app/notes 640 1234:2345", "/fresh 755 0:0", "from the image")
	from := e.spec("from", `cat /home/app/mine; cat /home/app/notes; echo x > /home/app/x 2>/dev/null || echo refused`)
	from.TaskID, from.Container.VolumesFrom = "vols", []acs.VolumeFrom{{SourceContainer: "first", ReadOnly: true}}
	_, out := e.output(t, from)
	wantLines(t, out, "mine", "from the image", "refused")
	later := e.spec("later", "cat /other/app/notes") // not copied a second time
	later.Mounts = []task.Mount{{Source: data, Destination: "/other", Seed: true}}
	_, out = e.output(t, later)
	wantLines(t, out, "new")
	for _, id := range []string{first.ID, seed.ID} {
		must(t, e.rt.Delete(within(t, time.Minute), id))
	}
	e.leftovers(t)
}

// [D] SEMANTICS §4.1, MISSION 2: containers of a task share processes and memory if it says so, whichever ends first; a task's
// shared namespaces go with its last container.
func TestSharedNamespaces(t *testing.T) {
	e := newEnv(t)
	in := func(name, script string, change func(*task.ContainerSpec)) task.ContainerSpec {
		spec := e.spec(task.ContainerID("share", name), script)
		spec.TaskID, spec.Name = "share", name
		spec.Task.PidMode, spec.Task.IpcMode = "task", "task"
		if change != nil {
			change(&spec)
		}
		return spec
	}
	first, second := in("first", "echo hello > /dev/shm/word; sleep 0.3; exit 3", nil), in("second", `
		while [ ! -f /dev/shm/word ]; do sleep 0.02; done; cat /dev/shm/word
		ps | grep -q '[/]init -P' && echo "sees the holder"; ps | grep -q 'echo [h]ello' && echo "sees the first"
		[ "$(cat /proc/1/comm)" = init ] && echo "is not process 1"; df -m /dev/shm | grep -q ' 64 ' && echo "64 MiB"
		while ps | grep -q 'echo [h]ello'; do sleep 0.05; done; echo "outlives it"; exit 0`, nil)
	e.pull(t)
	var wg sync.WaitGroup
	for _, s := range []task.ContainerSpec{first, second} {
		wg.Go(func() { must(t, e.rt.Create(within(t, time.Minute), s)) })
	}
	wg.Wait()
	all, err := e.rt.List(within(t, time.Minute))
	must(t, err)
	if len(all) != 2 {
		t.Errorf("lists %+v", all)
	}
	for _, s := range []task.ContainerSpec{first, second} {
		_, err := e.rt.Start(within(t, time.Minute), s.ID)
		must(t, err)
	}
	if s := e.awaitStopped(t, first.ID); s.ExitCode != 3 {
		t.Errorf("first ended with %d", s.ExitCode)
	}
	if s := e.awaitStopped(t, second.ID); s.ExitCode != 0 {
		t.Errorf("second ended with %d", s.ExitCode)
	}
	wantLines(t, e.log(t, second), "hello", "sees the holder", "sees the first", "is not process 1", "64 MiB", "outlives it")
	must(t, e.rt.Delete(within(t, time.Minute), first.ID))
	e.open(t) // another agent finds the holder, and removes it with the last container
	_, out := e.output(t, in("third", "cat /dev/shm/word", nil))
	wantLines(t, out, "hello")
	must(t, e.rt.Delete(within(t, time.Minute), second.ID))
	e.leftovers(t)

	host := e.spec("host", `ps | grep -q '[c]ontainerd-shim' && echo "sees the host"; grep -q ' /dev/shm tmpfs' /proc/mounts && echo shm`)
	host.Task.PidMode, host.Task.IpcMode = "host", "host"
	_, out = e.output(t, host)
	wantLines(t, out, "sees the host", "shm")
	e.leftovers(t)
}

// [I] MISSION 40: a FARGATE task's root is nobody outside, owns its files inside, and cannot tell otherwise.
func TestUserNamespace(t *testing.T) {
	e := newEnv(t)
	n, tidy := newNetwork(t)
	defer tidy()
	e.push(t, "vol:1", v1.Config{Cmd: []string{"/bin/sh"}, Volumes: map[string]struct{}{"/home/app": {}}})
	data := filepath.Join(e.dir, "data")
	must(t, os.Mkdir(data, 0o755))
	efs := filepath.Join(e.dir, "efs")
	must(t, os.MkdirAll(filepath.Join(efs, "sub"), 0o755))
	must(t, os.WriteFile(filepath.Join(efs, "theirs"), []byte("shared\n"), 0o600))
	spec := func(name, script string) task.ContainerSpec {
		s := e.spec(task.ContainerID("fargate", name), script)
		s.TaskID, s.Name, s.Image, s.Task.LaunchType, s.Task.NetworkMode, s.Task.PidMode = "fargate", name, e.image("vol:1"), "FARGATE", "awsvpc", "task"
		s.Mounts = []task.Mount{{Source: data, Destination: "/data", Seed: true}, {Source: efs, Destination: "/efs"}}
		return s
	}
	box, err := n.Setup(within(t, time.Minute), task.SandboxRequest{TaskID: "fargate", Mode: "awsvpc", Isolated: true})
	must(t, err)
	_, err = e.rt.Pull(within(t, time.Minute), e.image("vol:1"), nil)
	must(t, err)
	first := spec("first", `
		id -u; stat -c '%n %u:%g %a' /bin/busybox /home/app/notes /etc/hosts /data /tmp; cat /proc/self/uid_map | tr -s ' '
		echo more >> /etc/hosts && echo "hosts is mine"; echo out > /dev/stdout; echo x > /data/x && echo "data is mine"
		cat /efs/theirs; echo x > /efs/new && stat -c '%n %u:%g' /efs/new; cat /proc/sys/net/core/somaxconn; ls /sys/class/net | tr '\n' ' '; echo; [ -e /sys/devices/system/cpu/online ] && echo processors
		mount -t tmpfs x /mnt 2>/dev/null || echo "no mounts"; (echo 1 > /proc/sys/vm/drop_caches) 2>/dev/null || echo "no kernel"
		grep -c . /sys/fs/cgroup/memory*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | grep -q 1 && echo "own limits"
		(echo hi | nc -l -p 80) & sleep 0.1; nc 127.0.0.1 80; ps | grep -q '[/]init -P' && echo "that is all"; exec sleep 1000`)
	first.Sandbox = box
	first.HostConfig.Sysctls, first.Container.Memory = map[string]string{"net.core.somaxconn": "99"}, 64
	must(t, e.rt.Create(within(t, time.Minute), first))
	pid, err := e.rt.Start(within(t, time.Minute), first.ID)
	must(t, err)
	eventually(t, 20*time.Second, func() bool { return strings.Contains(e.log(t, first), "that is all") })
	wantLines(t, e.log(t, first), "0", "/bin/busybox 0:0 755", "/home/app/notes 1234:2345 640", "/etc/hosts 0:0 644", "/data 0:0 755", "/tmp 0:0 755", " 0 1073741824 65536",
		"hosts is mine", "out", "data is mine", "99", "shared", "/efs/new 0:0", "eth0 lo ", "processors", "no mounts", "no kernel", "own limits", "hi")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	if !strings.Contains(string(status), "\nUid:	1073741824	1073741824") {
		t.Errorf("outside it is %s", status)
	}
	second := spec("second", `id -u; cat /data/x; ls -ln /home/app | grep -c '1234 .*2345 .* notes'; ps | grep -q '[s]leep 1000' && echo "sees the first"`)
	second.Sandbox, second.Config.User = box, "app"
	_, out := e.output(t, second)
	wantLines(t, out, "1234", "x", "1", "sees the first")
	third := spec("third", `cat /proc/1/comm; [ -t 1 ] && echo terminal; touch /x 2>/dev/null || echo read-only; touch /data/y 2>/dev/null || echo "data is read-only"; touch /t/x && echo tmpfs`)
	third.Sandbox, third.Task.PidMode, third.Mounts[0].ReadOnly = box, "", true
	third.HostConfig = acs.HostConfig{Init: new(true), ReadonlyRootfs: true, Tmpfs: map[string]string{"/t": ""}}
	third.Config.Tty = true
	_, out = e.output(t, third)
	wantLines(t, out, "init", "terminal", "read-only", "data is read-only", "tmpfs")
	run, err := e.rt.Check(within(t, time.Minute), first.ID, []string{"/bin/sh", "-c", "id -u"}, time.Minute)
	if err != nil || run.Output != "0\n" {
		t.Errorf("check %+v, %v", run, err)
	}
	must(t, e.rt.Delete(within(t, time.Minute), first.ID))
	info, err := os.Stat(filepath.Join(efs, "new"))
	must(t, err)
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
		t.Errorf("a file of the shared file system belongs to %d", uid)
	}
	must(t, n.Release(within(t, time.Minute), "fargate", ""))
	e.leftovers(t)
	snapshots := func() string {
		out, err := exec.Command("ctr", "--address", e.daemon.Address(), "--namespace", "e2e", "snapshots", "ls").CombinedOutput()
		must(t, err)
		return string(out)
	}
	if out := snapshots(); strings.Count(out, "userns-1073741824-") != 1 {
		t.Errorf("the image's layer of owners is not there once:\n%s", out)
	}
	gone, err := e.rt.CollectOnce(within(t, time.Minute), runtime.CollectConfig{Path: e.dir, Wanted: func() []string { return nil }})
	if out := snapshots(); err != nil || len(gone) == 0 || strings.Contains(out, "userns-") {
		t.Errorf("removed %v, %v; the layer of owners outlives its image:\n%s", gone, err, out)
	}
}

// [I] A node's containers can be another runtime's: here runc's shim under another name.
func TestOtherRuntime(t *testing.T) {
	dir := t.TempDir()
	shim, err := exec.LookPath("containerd-shim-runc-v2")
	must(t, err)
	wrapper := "#!/bin/sh\necho used >> " + dir + "/used\nexec " + shim + " \"$@\"\n"
	must(t, os.WriteFile(filepath.Join(dir, "containerd-shim-wrapped-v7"), []byte(wrapper), 0o755)) //nolint:gosec // it is a program
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	e := newEnv(t)
	e.cfg.OCIRuntime = "io.containerd.wrapped.v7"
	e.open(t)
	spec := e.spec("wrapped", "sleep 1000")
	pid := e.start(t, spec)
	if _, err := os.Stat(filepath.Join(dir, "used")); err != nil || pid == 0 {
		t.Errorf("process %d is not of the other runtime: %v", pid, err)
	}
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	spec = e.spec("together", "true")
	spec.Task.PidMode = "task"
	if err := e.rt.Create(within(t, time.Minute), spec); err == nil || !strings.Contains(err.Error(), "this node runs io.containerd.wrapped.v7") {
		t.Errorf("error %v", err)
	}
	e.leftovers(t)
}

// [D] SEMANTICS §11.4: a restart keeps what the container wrote, and the log goes on.
func TestRestartInPlace(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("again", `echo run >> /runs; echo "start $(cat /runs | tr '\n' ' ')"; sleep 0.1; exit 4`)
	e.start(t, spec)
	for range 2 {
		e.awaitStopped(t, "again")
		_, err := e.rt.Restart(within(t, time.Minute), "again")
		must(t, err)
	}
	if s := e.awaitStopped(t, "again"); s.ExitCode != 4 || s.OOMKilled {
		t.Errorf("ended as %+v", s)
	}
	e.open(t)
	if s := e.state(t, "again"); s.Status != task.StatusStopped || s.ExitCode != 4 {
		t.Errorf("another agent sees %+v", s)
	}
	must(t, e.rt.Delete(within(t, time.Minute), "again"))
	if out := e.log(t, spec); out != "start run \nstart run run \nstart run run run \n" {
		t.Errorf("output %q", out)
	}
	if _, err := os.Stat(filepath.Join(e.run, "rt", "containers", "again")); !os.IsNotExist(err) {
		t.Errorf("its directory is left: %v", err)
	}
	e.leftovers(t)
}
