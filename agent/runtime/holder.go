package runtime

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// The namespaces that the containers of a task share (pidMode and ipcMode "task") belong to a holder: a container of the
// runtime's own, which no other room sees, whose only process waits and collects orphans. Without it they would end with the
// container that started first, and take the others' processes along.
const (
	labelHolder = "roadstead.holder" // the task's id
	holderName  = ".namespaces"      // of its cgroup, which no container is called like
	shmDir      = "shm"              // the task's /dev/shm, mounted below the holder's directory
	nobody      = 65534
)

func holderID(taskID string) string { return containerdID("ns-" + taskID) }

// shared finds or makes what the container shares with others of its task.
func (r *Runtime) shared(ctx context.Context, spec task.ContainerSpec) (sharedNamespaces, error) {
	var out sharedNamespaces
	pids, ipc := pidMode(spec) == "task", ipcMode(spec) == "task"
	if !pids && !ipc {
		return out, nil
	}
	r.holding.Lock() // the task's containers are made at the same time, and its holder once
	defer r.holding.Unlock()
	cid := holderID(spec.TaskID)
	if ipc {
		out.shm = filepath.Join(r.dir(cid), shmDir)
		if err := mountShm(out.shm, spec.HostConfig.ShmSize); err != nil {
			return out, err
		}
	}
	if r.cfg.OCIRuntime != runcShim {
		return out, fmt.Errorf("pidMode and ipcMode task are runc's, and this node runs %s", r.cfg.OCIRuntime)
	}
	pid, err := r.hold(ctx, cid, spec)
	if err != nil {
		return out, fmt.Errorf("hold the task's namespaces: %w", err)
	}
	if pids {
		out.pid = fmt.Sprintf("/proc/%d/ns/pid", pid)
	}
	if ipc {
		out.ipc = fmt.Sprintf("/proc/%d/ns/ipc", pid)
	}
	return out, nil
}

// hold returns the holder's process, making what is missing.
func (r *Runtime) hold(ctx context.Context, cid string, spec task.ContainerSpec) (uint32, error) {
	p, err := r.process(ctx, cid)
	switch {
	case err == nil && p.Status == tasktypes.Status_RUNNING:
		return p.Pid, nil
	case err == nil && p.Status == tasktypes.Status_STOPPED: // somebody killed it, and with it all that it held
		if err := r.deleteTask(ctx, cid); err != nil {
			return 0, err
		}
	case err != nil && !errdefs.IsNotFound(err):
		return 0, err
	}
	who := identity{task: spec.TaskID, cgroup: path.Join(r.cfg.Cgroup, spec.TaskID, holderName)}
	if err := r.recordHolder(ctx, cid, who, spec.Sandbox); err != nil {
		return 0, err
	}
	pid, err := r.newTask(ctx, cid, who, nil)
	if err != nil {
		return 0, err
	}
	return r.release(ctx, cid, pid)
}

func (r *Runtime) recordHolder(ctx context.Context, cid string, who identity, sandbox task.Sandbox) error {
	if r.init == "" {
		return errNoInit
	}
	root := filepath.Join(r.dir(cid), "rootfs")
	for _, dir := range []string{"proc", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(root, "init"), nil, 0o755); err != nil {
		return err
	}
	s, err := holderSpec(ctx, root, r.init, who.cgroup, sandbox)
	if err != nil {
		return err
	}
	body, err := typeurl.MarshalAny(s)
	if err != nil {
		return fmt.Errorf("encode spec: %w", err)
	}
	_, err = r.containers.Create(ctx, containers.Container{
		ID: cid, Labels: map[string]string{labelHolder: who.task, labelCgroup: who.cgroup}, Spec: body,
		Runtime: containers.RuntimeInfo{Name: runcShim},
	})
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return fmt.Errorf("create container: %w", err)
	}
	return nil
}

// holderSpec confines the holder as far as it goes: whoever gets hold of it from a container has got nothing.
func holderSpec(ctx context.Context, root, init, cgroup string, sandbox task.Sandbox) (*specs.Spec, error) {
	ctx = namespaces.WithNamespace(ctx, "roadstead") // see buildSpec
	s, err := oci.GenerateSpec(ctx, nil, &containers.Container{ID: "holder"})
	if err != nil {
		return nil, fmt.Errorf("generate spec: %w", err)
	}
	s.Root = &specs.Root{Path: root, Readonly: true}
	s.Process.Args = []string{"/init", "-P"}
	s.Process.User = specs.User{UID: nobody, GID: nobody}
	s.Process.Capabilities = &specs.LinuxCapabilities{}
	s.Process.NoNewPrivileges = true
	s.Linux.CgroupsPath = cgroup
	s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination != "/proc" && m.Destination != "/dev" })
	s.Mounts = append(s.Mounts, bind(task.Mount{Source: init, Destination: "/init", ReadOnly: true}))
	setUserNamespace(s, specInput{ContainerSpec: task.ContainerSpec{Sandbox: sandbox}})
	return s, nil
}

// mountShm mounts the task's shared memory, unless it is there.
func mountShm(dir string, size int64) error {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	if mounted, err := isMountPoint(dir); err != nil || mounted {
		return err
	}
	if size <= 0 {
		size = defaultShm
	}
	if err := unix.Mount("shm", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, fmt.Sprintf("mode=1777,size=%d", size)); err != nil {
		return fmt.Errorf("mount shared memory: %w", err)
	}
	return nil
}

// isMountPoint compares the directory with its parent: what is mounted there is a file system of its own.
func isMountPoint(dir string) (bool, error) {
	var here, above unix.Stat_t
	if err := unix.Lstat(dir, &here); err != nil {
		return false, fmt.Errorf("look at %s: %w", dir, err)
	}
	if err := unix.Lstat(filepath.Dir(dir), &above); err != nil {
		return false, fmt.Errorf("look at %s: %w", filepath.Dir(dir), err)
	}
	return here.Dev != above.Dev, nil
}

// dropHolder removes a task's holder unless a container of the task is there or being made. all is what containerd has.
func (r *Runtime) dropHolder(ctx context.Context, taskID string, all []containers.Container) error {
	r.holding.Lock()
	defer r.holding.Unlock()
	r.mu.Lock()
	making := r.making[path.Join(r.cfg.Cgroup, taskID)]
	r.mu.Unlock()
	if making > 0 || slices.ContainsFunc(all, func(c containers.Container) bool { return c.Labels[labelTask] == taskID }) {
		return nil
	}
	return r.removeParts(ctx, holderID(taskID), identity{task: taskID, cgroup: path.Join(r.cfg.Cgroup, taskID, holderName)})
}

// dropHolders removes those of tasks without containers, which an agent left that was killed.
func (r *Runtime) dropHolders(ctx context.Context, all []containers.Container) {
	for _, c := range all {
		if id := c.Labels[labelHolder]; id != "" {
			if err := r.dropHolder(ctx, id, all); err != nil {
				r.cfg.Logger.Warn("remove the holder of a task's namespaces", "task", id, "err", err)
			}
		}
	}
}

// dropHolderOf is called when a container of the task is gone.
func (r *Runtime) dropHolderOf(ctx context.Context, taskID string) error {
	if taskID == "" {
		return nil
	}
	if _, err := os.Stat(r.dir(holderID(taskID))); err != nil {
		return nil // most tasks have none
	}
	all, err := r.containers.List(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	return r.dropHolder(ctx, taskID, all)
}
