package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/containerd/v2/core/mount"
	copyfs "github.com/containerd/continuity/fs"

	"github.com/roadstead/roadstead/agent/task"
)

// Files of a container's own volumes, those that its image declares with VOLUME, below its directory.
const (
	volumesDir  = "volumes"
	volumesFile = "volumes.json" // the mounts, for other containers' volumesFrom
	seedingMark = ".seeding"     // beside a volume: what is in it is half a copy
	seededMark  = ".seeded"      // it was filled, or found not empty: never again
)

// withImageVolumes adds to a container's mounts those of its image's VOLUMEs that nothing is mounted at, and those of the
// containers that it takes volumes from (SEMANTICS §13.5): as Docker does, so that they are writable under a read-only root, too.
func (r *Runtime) withImageVolumes(spec task.ContainerSpec, img *image) ([]task.Mount, error) {
	out := slices.Clone(spec.Mounts)
	taken := func(destination string) bool {
		_, tmpfs := spec.HostConfig.Tmpfs[destination]
		return tmpfs || slices.ContainsFunc(out, func(m task.Mount) bool { return m.Destination == destination })
	}
	for _, from := range spec.Container.VolumesFrom {
		theirs, err := r.readVolumes(containerdID(task.ContainerID(spec.TaskID, from.SourceContainer)))
		if err != nil {
			return nil, err
		}
		for _, m := range theirs {
			if m.ReadOnly = m.ReadOnly || from.ReadOnly; !taken(m.Destination) {
				out = append(out, m)
			}
		}
	}
	var own []task.Mount
	cid := containerdID(spec.ID)
	for _, destination := range slices.Sorted(maps.Keys(img.config.Volumes)) {
		destination = filepath.Clean("/" + destination)
		if taken(destination) {
			continue
		}
		sum := sha256.Sum256([]byte(destination))
		dir := r.dir(cid)
		if spec.Storage != "" {
			dir = storageDir(spec.Storage, cid)
		}
		m := task.Mount{Source: filepath.Join(dir, volumesDir, hex.EncodeToString(sum[:8])), Destination: destination, Seed: true}
		if err := os.MkdirAll(m.Source, 0o755); err != nil {
			return nil, fmt.Errorf("make volume: %w", err)
		}
		own, out = append(own, m), append(out, m)
	}
	if len(own) == 0 {
		return out, nil
	}
	b, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	return out, os.WriteFile(filepath.Join(r.dir(cid), volumesFile), b, 0o600)
}

// readVolumes are the mounts of the VOLUMEs of a container's image, none if it has none.
func (r *Runtime) readVolumes(cid string) ([]task.Mount, error) {
	b, err := os.ReadFile(filepath.Join(r.dir(cid), volumesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read volumes: %w", err)
	}
	var out []task.Mount
	return out, json.Unmarshal(b, &out)
}

// seed fills the volumes that are to be filled when they are mounted first with what the image has at their places. rootfs is
// the container's snapshot.
func (r *Runtime) seed(ctx context.Context, volumes []task.Mount, rootfs []mount.Mount, base uint32) error {
	if !slices.ContainsFunc(volumes, unseeded) {
		return nil
	}
	r.seeding.Lock() // another container of the task may mount the same volume
	defer r.seeding.Unlock()
	open := slices.DeleteFunc(slices.Clone(volumes), func(m task.Mount) bool { return !unseeded(m) })
	if len(open) == 0 {
		return nil
	}
	return mount.WithReadonlyTempMount(ctx, rootfs, func(root string) error {
		for _, m := range open {
			if err := fill(m, root, base); err != nil {
				return fmt.Errorf("fill volume at %s: %w", m.Destination, err)
			}
		}
		return nil
	})
}

func unseeded(m task.Mount) bool {
	if !m.Seed {
		return false
	}
	_, err := os.Stat(m.Source + seededMark)
	return err != nil
}

// fill copies a directory of the image with its owner and mode into an empty volume. A mark says from before the first file to
// after the last that a copy is under way, so that one that was cut short is made again.
func fill(m task.Mount, root string, base uint32) error {
	from, err := copyfs.RootPath(root, m.Destination)
	if err != nil {
		return err
	}
	have, err := os.ReadDir(m.Source)
	if err != nil {
		return err
	}
	if len(have) == 0 {
		if err := handOver(m.Source, base); err != nil {
			return err
		}
	}
	_, half := os.Stat(m.Source + seedingMark)
	info, err := os.Stat(from)
	if err == nil && info.IsDir() && (len(have) == 0 || half == nil) {
		if err := os.WriteFile(m.Source+seedingMark, nil, 0o600); err != nil {
			return err
		}
		for _, e := range have {
			if err := os.RemoveAll(filepath.Join(m.Source, e.Name())); err != nil {
				return err
			}
		}
		if err := copyfs.CopyDir(m.Source, from); err != nil {
			return err
		}
	}
	if err := os.WriteFile(m.Source+seededMark, nil, 0o600); err != nil {
		return err
	}
	if err := os.Remove(m.Source + seedingMark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
