package runtime

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// FARGATE tasks run in user namespaces: their root is one of the node's powerless users, base, and so are all others up to
// base+65535. The namespace is the sandbox's, and so the network's owner. Images are owned by the node's root, so there is a second
// layer on top of each that changes the owners. With overlayfs's metacopy it holds no data: it costs a change of owner for every
// file of an image, once on a node (docs/decisions/018).
const (
	mapSize    = 1 << 16
	metacopy   = "metacopy=on"
	capability = "security.capability"
)

// mapped makes a snapshot's mounts understand layers that hold owners only.
func mapped(mounts []mount.Mount, base uint32) []mount.Mount {
	if base == 0 {
		return mounts
	}
	out := slices.Clone(mounts)
	for i := range out {
		if out[i].Type == "overlay" {
			out[i].Options = append(slices.Clone(out[i].Options), metacopy)
		}
	}
	return out
}

// remap returns the snapshot of the image as the users of a namespace own it, making it if it is not there.
func (r *Runtime) remap(ctx context.Context, img *image, base uint32) (string, error) {
	name := fmt.Sprintf("userns-%d-%s", base, img.chainID)
	if _, err := r.snapshots.Stat(ctx, name); !errdefs.IsNotFound(err) {
		return name, err
	}
	r.remapping.Lock() // the containers of a task often have one image
	defer r.remapping.Unlock()
	if _, err := r.snapshots.Stat(ctx, name); !errdefs.IsNotFound(err) {
		return name, err
	}
	ctx, done, err := r.client.WithLease(ctx)
	if err != nil {
		return "", fmt.Errorf("lease: %w", err)
	}
	defer func() { _ = done(context.WithoutCancel(ctx)) }() // it runs out by itself
	making := name + "-making"
	if err := r.snapshots.Remove(ctx, making); err != nil && !errdefs.IsNotFound(err) {
		return "", fmt.Errorf("remove half a snapshot: %w", err)
	}
	mounts, err := r.snapshots.Prepare(ctx, making, img.chainID)
	if err != nil {
		return "", err
	}
	mounts = mapped(mounts, base)
	for i := range mounts { // nothing of it counts before Commit, so no file need be waited for
		if mounts[i].Type == "overlay" {
			mounts[i].Options = append(mounts[i].Options, "volatile")
		}
	}
	err = mount.WithTempMount(ctx, mounts, func(root string) error { return shiftTree(root, base) })
	if err == nil {
		err = r.snapshots.Commit(ctx, name, making)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("change owners of %s: %w", img.name, err), r.snapshots.Remove(context.WithoutCancel(ctx), making))
	}
	// It lives as long as the image does.
	label := "containerd.io/gc.ref.snapshot." + r.cfg.Snapshotter + "/userns-" + strconv.FormatUint(uint64(base), 10)
	_, err = r.client.ContentStore().Update(ctx, content.Info{Digest: img.configDigest, Labels: map[string]string{label: name}}, "labels."+label)
	if err != nil {
		return "", fmt.Errorf("tie snapshot to %s: %w", img.name, err)
	}
	return name, nil
}

// shiftTree adds base to the owners of all files. What a change of owner takes away is put back: setuid bits, and capabilities,
// which then count in the namespace alone. A file with two names comes twice, and is left alone the second time.
func shiftTree(root string, base uint32) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return shift(path, base)
	})
}

func shift(path string, base uint32) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid >= mapSize || st.Gid >= mapSize {
		return nil
	}
	caps := make([]byte, 64)
	n, err := unix.Lgetxattr(path, capability, caps)
	if err != nil {
		n = 0 // it has none
	}
	if err := os.Lchown(path, int(st.Uid+base), int(st.Gid+base)); err != nil {
		return err
	}
	if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		if err := os.Chmod(path, info.Mode()); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	return unix.Lsetxattr(path, capability, shiftCaps(caps[:n], base), 0)
}

// shiftCaps turns file capabilities (version 2) into those of a namespace's root (version 3).
func shiftCaps(caps []byte, base uint32) []byte {
	const revision, two, three, sizeOfTwo = 0xFF000000, 0x02000000, 0x03000000, 20
	if len(caps) != sizeOfTwo || binary.LittleEndian.Uint32(caps)&revision != two {
		return caps
	}
	out := binary.LittleEndian.AppendUint32(slices.Clone(caps), base)
	binary.LittleEndian.PutUint32(out, binary.LittleEndian.Uint32(caps)&^revision|three)
	return out
}

// setUserNamespace moves the container into its sandbox's user namespace.
func setUserNamespace(s *specs.Spec, in specInput) {
	base := in.Sandbox.UserBase
	if base == 0 {
		return
	}
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: base, Size: mapSize}}
	s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace, Path: in.Sandbox.User})
	for i := range s.Mounts {
		if m := &s.Mounts[i]; m.Type == "bind" && slices.Contains(m.Options, "ro") {
			m.Options = append(m.Options, lockedOptions(m.Source)...)
		}
	}
}

// lockedOptions are those of the mount that a path is on; who makes it read-only in a user namespace must not lift them.
func lockedOptions(path string) []string {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return nil
	}
	var out []string
	for flag, option := range map[int64]string{unix.ST_NOSUID: "nosuid", unix.ST_NODEV: "nodev", unix.ST_NOEXEC: "noexec"} {
		if st.Flags&flag != 0 {
			out = append(out, option)
		}
	}
	slices.Sort(out)
	return out
}

// imageClient shows oci's options the snapshots of a user namespace without the layer of owners: it looks into layers, and cannot
// read one that has no data.
type imageClient struct{ oci.Client }

func (c imageClient) SnapshotService(name string) snapshots.Snapshotter {
	return imageSnapshots{c.Client.SnapshotService(name)}
}

type imageSnapshots struct{ snapshots.Snapshotter }

func (s imageSnapshots) Mounts(ctx context.Context, key string) ([]mount.Mount, error) {
	mounts, err := s.Snapshotter.Mounts(ctx, key)
	for i := range mounts {
		for j, o := range mounts[i].Options {
			if layers, ok := strings.CutPrefix(o, "lowerdir="); ok {
				_, image, _ := strings.Cut(layers, ":")
				mounts[i].Options[j] = "lowerdir=" + image
			}
		}
	}
	return mounts, err
}

// handOver gives a file that was made for the container to its root.
func handOver(path string, base uint32) error {
	if base == 0 {
		return nil
	}
	return os.Lchown(path, int(base), int(base))
}
