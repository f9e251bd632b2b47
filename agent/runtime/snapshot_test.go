package runtime

import (
	"errors"
	"testing"
)

func TestStaleSnapshot(t *testing.T) {
	const before = "failed to rename: rename /d/io.containerd.snapshotter.v1.overlayfs/snapshots/new-3507692893 "
	for text, want := range map[string]string{
		before + "/d/io.containerd.snapshotter.v1.overlayfs/snapshots/4: file exists":             "/d/io.containerd.snapshotter.v1.overlayfs/snapshots/4",
		before + "/d/io.containerd.snapshotter.v1.overlayfs/snapshots/17: directory not empty":    "/d/io.containerd.snapshotter.v1.overlayfs/snapshots/17",
		before + "/d/io.containerd.snapshotter.v1.overlayfs/snapshots/4: no space left on device": "",
		before + "/etc/4: file exists":                                                   "",
		"failed to rename: rename /etc/new-1 /etc/4: file exists":                        "",
		before + "/d/io.containerd.snapshotter.v1.overlayfs/snapshots/../4: file exists": "",
	} {
		if got := staleSnapshot(errors.New(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
