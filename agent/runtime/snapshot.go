package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
)

// A containerd that is killed after it has made a snapshot's directory, and before it has noted that, gives the next snapshot the
// same number, finds the directory, and can make no snapshot any more. Version 1.6 removes such a directory only together with
// another snapshot.

// snapshotStays is how containerd says so, with the directories of the new snapshot before and after its rename.
var snapshotStays = regexp.MustCompile(`failed to rename: rename (/\S+)/new-\d+ (/\S+)/(\d+): (?:file exists|directory not empty)`)

// staleSnapshot is the directory that an error speaks of, "" if it speaks of none.
func staleSnapshot(err error) string {
	m := snapshotStays.FindStringSubmatch(err.Error())
	if m == nil || m[1] != m[2] || filepath.Base(m[2]) != "snapshots" {
		return ""
	}
	return filepath.Join(m[2], m[3])
}

// prepareSnapshot makes a writable snapshot, and removes what is in its way.
func (r *Runtime) prepareSnapshot(ctx context.Context, key, parent string, opts ...snapshots.Opt) (mounts []mount.Mount, err error) {
	err = r.pastStale(func() (err error) {
		mounts, err = r.snapshots.Prepare(ctx, key, parent, opts...)
		return err
	})
	return mounts, err
}

// pastStale calls what makes snapshots, such as the layers of an image, and again when something was in its way, after that has been
// removed: a directory for each time that containerd was killed.
func (r *Runtime) pastStale(call func() error) error {
	err := call()
	if err == nil || staleSnapshot(err) == "" {
		return err
	}
	r.sweeping.Lock() // else one removes what another has made by then
	defer r.sweeping.Unlock()
	for removed := ""; ; {
		err := call()
		if err == nil {
			return nil
		}
		stale := staleSnapshot(err)
		if stale == "" || stale == removed {
			return err
		}
		r.cfg.Logger.Warn("remove a snapshot's directory that containerd does not know", "directory", stale)
		if rerr := os.RemoveAll(stale); rerr != nil {
			return errors.Join(err, fmt.Errorf("remove directory of a forgotten snapshot: %w", rerr))
		}
		removed = stale
	}
}
