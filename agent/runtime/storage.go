package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/core/mount"
)

// storageDir is where a container's own layer and volumes are on its task's own file system. They go with that.
func storageDir(storage, cid string) string { return filepath.Join(storage, containersDir, cid) }

// own makes a snapshot's mounts the container's: with the owners of its users, and written to its task's storage.
func own(mounts []mount.Mount, cid string, who identity) ([]mount.Mount, error) {
	mounts = mapped(mounts, who.base)
	if who.storage == "" {
		return mounts, nil
	}
	if len(mounts) != 1 || mounts[0].Type != "overlay" {
		return nil, errors.New("storage of a size needs the snapshotter overlayfs")
	}
	m := mounts[0]
	m.Options = slices.Clone(m.Options)
	for i, o := range m.Options {
		if upper, ok := strings.CutPrefix(o, "upperdir="); ok {
			to := filepath.Join(storageDir(who.storage, cid), "fs")
			if err := makeLike(to, upper); err != nil {
				return nil, fmt.Errorf("make writable layer: %w", err)
			}
			m.Options[i] = "upperdir=" + to
		}
		if strings.HasPrefix(o, "workdir=") {
			to := filepath.Join(storageDir(who.storage, cid), "work")
			if err := os.MkdirAll(to, 0o711); err != nil {
				return nil, fmt.Errorf("make writable layer: %w", err)
			}
			m.Options[i] = "workdir=" + to
		}
	}
	return []mount.Mount{m}, nil
}

// makeLike makes a directory with the mode and the owner of another: it is the root of the container's file system.
func makeLike(dir, like string) error {
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Chown(dir, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(dir, info.Mode())
}
