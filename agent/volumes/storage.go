package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// A task's own storage is a file system of the size that it asks for (ephemeralStorage) in a file with holes, which takes as
// much of the disk as the task has written. Rejected: quotas of projects, which the node's file system would have to be made
// for; looking how much there is from time to time, which stops a task where ECS tells it that the disk is full.
const (
	storageName = ".storage" // no volume is called so
	imageName   = "image"
	mountedName = "fs"
)

// Storage implements task.Volumes.
func (v *Volumes) Storage(ctx context.Context, taskID string, gib int64) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	dir := filepath.Join(v.cfg.Dir, "tasks", taskID, storageName)
	at := filepath.Join(dir, mountedName)
	if err := os.MkdirAll(at, 0o711); err != nil {
		return "", fmt.Errorf("make storage: %w", err)
	}
	if mounted, err := isMounted(at); err != nil || mounted {
		return at, err
	}
	image := filepath.Join(dir, imageName)
	if _, err := os.Stat(image); err != nil {
		if err := makeImage(ctx, image, gib); err != nil {
			return "", err
		}
	}
	if err := mountLoop(image, at); err != nil {
		return "", fail("ResourceInitializationError", "mount ephemeral storage: %w", err)
	}
	return at, os.Chmod(at, 0o711)
}

// makeImage makes the file whole or not at all. Without a journal: nothing of it outlives the machine.
func makeImage(ctx context.Context, name string, gib int64) error {
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make storage: %w", err)
	}
	if err := errors.Join(f.Truncate(gib<<30), f.Close()); err != nil {
		return fmt.Errorf("make storage: %w", err)
	}
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		mkfs = "/sbin/mkfs.ext4"
	}
	out, err := exec.CommandContext(ctx, mkfs, "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard", name+".new").CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrNotExist):
		return fail("ResourceInitializationError", "ephemeral storage needs mkfs.ext4 on the node: install the package e2fsprogs")
	case err != nil:
		return fail("ResourceInitializationError", "make ephemeral storage: %w: %s", err, out)
	}
	return os.Rename(name+".new", name)
}

// mountLoop mounts a file by way of a loop device, which goes when it is unmounted.
func mountLoop(image, at string) error {
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer control.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return fmt.Errorf("find a loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		config := unix.LoopConfig{Fd: uint32(f.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_DIRECT_IO}}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if errors.Is(err, unix.EBUSY) { // somebody was quicker
			device.Close()
			continue
		}
		if err == nil {
			// Tables are not written ahead, and what is removed is given back: the file has holes.
			err = unix.Mount(device.Name(), at, "ext4", unix.MS_NOATIME, "noinit_itable,discard")
		}
		return errors.Join(err, device.Close())
	}
}

// StorageUsed is how much of the task's storage is used, and how much there is, in MiB; not ok if it has none.
func (v *Volumes) StorageUsed(taskID string) (used, reserved int64, ok bool) {
	at := filepath.Join(v.cfg.Dir, "tasks", taskID, storageName, mountedName)
	var st unix.Statfs_t
	if mounted, err := isMounted(at); err != nil || !mounted || unix.Statfs(at, &st) != nil {
		return 0, 0, false
	}
	const mib = 1 << 20
	return int64((st.Blocks - st.Bfree) * uint64(st.Bsize) / mib), int64(st.Blocks * uint64(st.Bsize) / mib), true
}

var _ task.Volumes = (*Volumes)(nil)
