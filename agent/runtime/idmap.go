package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// idmapDir is where file systems that others use, too, are mounted for a container in a user namespace: its root is root in
// them. Nothing below it may ever be removed while something is mounted there.
const idmapDir = "idmap"

// idmap replaces mounts of what is not the task's own by views of them in which the node's users are the namespace's.
func (r *Runtime) idmap(cid string, mounts []task.Mount, sandbox task.Sandbox) ([]task.Mount, error) {
	out := slices.Clone(mounts)
	for i := range out {
		if out[i].Seed { // made for the task, and owned by its users
			continue
		}
		at := filepath.Join(r.dir(cid), idmapDir, strconv.Itoa(i))
		if err := makeMountPoint(out[i].Source, at); err != nil {
			return nil, fmt.Errorf("make mount point: %w", err)
		}
		if err := unmountAll(at); err != nil { // of a Create that was cut short
			return nil, err
		}
		if err := mountMapped(out[i].Source, at, sandbox.User); err != nil {
			return nil, fmt.Errorf("mount %s at %s for the task's users: %w (if its file system cannot do that, run the node with --user-base 0)",
				out[i].Source, out[i].Destination, err)
		}
		out[i].Source = at
	}
	return out, nil
}

// makeMountPoint makes what source can be mounted at: a file at a file.
func makeMountPoint(source, at string) error {
	info, err := os.Stat(source)
	if err != nil || info.IsDir() {
		return os.MkdirAll(at, 0o711)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o711); err != nil {
		return err
	}
	f, err := os.OpenFile(at, os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func mountMapped(source, at, userns string) error {
	users, err := os.Open(userns)
	if err != nil {
		return err
	}
	defer users.Close()
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open tree: %w", err)
	}
	defer unix.Close(tree)
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(users.Fd())}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, attr); err != nil {
		return fmt.Errorf("map users: %w", err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	return nil
}

// removeIdmaps ends a container's views; what they show stays.
func (r *Runtime) removeIdmaps(cid string) error {
	dir := filepath.Join(r.dir(cid), idmapDir)
	all, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list mount points: %w", err)
	}
	for _, e := range all {
		at := filepath.Join(dir, e.Name())
		if err := unmountAll(at); err != nil {
			return err
		}
		if err := os.Remove(at); err != nil {
			return fmt.Errorf("remove mount point: %w", err)
		}
	}
	return os.Remove(dir)
}

// unmountAll unmounts whatever is mounted at a directory.
func unmountAll(at string) error {
	for {
		switch err := unix.Unmount(at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); {
		case err == nil:
		case errors.Is(err, unix.EINVAL), errors.Is(err, fs.ErrNotExist):
			return nil
		default:
			return fmt.Errorf("unmount %s: %w", at, err)
		}
	}
}
