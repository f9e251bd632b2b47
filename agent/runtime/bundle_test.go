package runtime

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// [I] What is left of a call that was cut short goes, and nothing else: the directory is in containerd's words.
func TestClearBundle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "io.containerd.runtime.v2.task", "ns-of-a-test", "c1")
	for _, d := range []string{dir, leaving(dir)} {
		if err := os.MkdirAll(filepath.Join(d, "rootfs"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got := bundleOf(errors.New("failed to start shim: mkdir " + dir + ": file exists: unknown")); got != dir {
		t.Errorf("the bundle is %q", got)
	}
	if got := bundleOf(errors.New("failed to start shim: mkdir " + dir + ": no space left on device")); got != "" {
		t.Errorf("the bundle is %q", got)
	}
	r := &Runtime{cfg: Config{Namespace: "ns-of-a-test", Logger: slog.New(slog.DiscardHandler)}}
	for _, other := range []string{"", "/", filepath.Dir(dir), dir + "/rootfs"} {
		if err := r.clearBundle(t.Context(), "c1", other); err == nil {
			t.Errorf("%q was removed", other)
		}
	}
	if err := r.clearBundle(t.Context(), "c1", dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, leaving(dir)} {
		if _, err := os.Stat(d); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", d, err)
		}
	}
}
