//go:build e2e

package runtime_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	ggcrtypes "github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/roadstead/roadstead/agent/task"
)

// What a containerd leaves that was killed in the middle of making a snapshot is in nobody's way: not of the layers of an image, and not
// of containers. It goes with the next container.
func TestStaleSnapshots(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("before", "sleep 1000")
	e.start(t, spec)
	dir := filepath.Join(e.dir, "cd", "root", "io.containerd.snapshotter.v1.overlayfs", "snapshots")
	entries, err := os.ReadDir(dir)
	must(t, err)
	last := 0
	for _, entry := range entries {
		if n, err := strconv.Atoi(entry.Name()); err == nil {
			last = max(last, n)
		}
	}
	// The next numbers are those of the layers, of the container after them, and of some later.
	stale := []string{"new-123456"}
	for n := range 2 * manyLayers {
		stale = append(stale, strconv.Itoa(last+1+n))
	}
	for _, name := range stale {
		must(t, os.MkdirAll(filepath.Join(dir, name, "fs", "old"), 0o711))
	}
	e.pushOther(t, "other:1")
	_, err = e.rt.Pull(within(t, time.Minute), e.image("other:1"), nil)
	must(t, err)
	next := e.spec("after", "test ! -e /old && cat /other")
	next.Image = e.image("other:1")
	must(t, e.rt.Create(within(t, time.Minute), next))
	_, err = e.rt.Start(within(t, time.Minute), next.ID)
	must(t, err)
	if s := e.awaitStopped(t, next.ID); s.ExitCode != 0 {
		t.Errorf("the container ended with %d: %s", s.ExitCode, e.log(t, next))
	}
	for _, id := range []string{spec.ID, next.ID} {
		must(t, e.rt.Delete(within(t, time.Minute), id))
	}
	eventually(t, 20*time.Second, func() bool {
		for _, name := range stale {
			if _, err := os.Stat(filepath.Join(dir, name, "fs", "old")); err == nil {
				return false
			}
		}
		return true
	})
	e.leftovers(t)
}

// A shim that does not answer says nothing of its container: it is not taken for ended or running, and what is asked of it is asked again.
func TestSilentShim(t *testing.T) {
	e := newEnv(t)
	runs, waits := e.spec("runs", "sleep 1000"), e.spec("waits", "sleep 1000")
	pid := e.start(t, runs)
	must(t, e.rt.Create(within(t, time.Minute), waits))
	e.open(t) // another agent, which does not remember processes
	left, err := e.rt.Leftovers(within(t, time.Minute))
	must(t, err)
	each := func(s syscall.Signal) {
		t.Helper()
		for _, shim := range left.Shims {
			var shimPID int
			_, err := fmt.Sscan(shim, &shimPID)
			must(t, err)
			must(t, syscall.Kill(shimPID, s))
		}
	}
	each(syscall.SIGSTOP)
	if s := e.state(t, runs.ID); !s.Unsure || s.Status != task.StatusRunning {
		t.Errorf("of one that runs it says %+v", s)
	}
	if s := e.state(t, waits.ID); !s.Unsure || s.Status != task.StatusCreated {
		t.Errorf("of one that is created it says %+v", s)
	}
	for verb, call := range map[string]func(context.Context, string) (uint32, error){"start": e.rt.Start, "restart": e.rt.Restart} {
		_, err := call(within(t, time.Minute), waits.ID)
		if err == nil || !strings.Contains(err.Error(), "does not answer") || named(err) {
			t.Errorf("%s: %v", verb, err)
		}
	}
	each(syscall.SIGCONT)
	if s := e.state(t, runs.ID); s.Unsure || s.Status != task.StatusRunning || s.PID != pid {
		t.Errorf("later it says %+v", s)
	}
	if _, err := e.rt.Start(within(t, time.Minute), waits.ID); err != nil {
		t.Errorf("start, later: %v", err)
	}
	for _, id := range []string{runs.ID, waits.ID} {
		must(t, e.rt.Delete(within(t, time.Minute), id))
	}
	e.leftovers(t)
}

func named(err error) bool {
	_, ok := errors.AsType[*task.Failure](err)
	return ok
}

// manyLayers are more than a pull is tried: containerd itself clears the way as it fails, for the next try.
const manyLayers = 6

// pushOther makes an image of many layers, each of which has the file.
func (e *env) pushOther(tb testing.TB, tag string) {
	tb.Helper()
	layers := []v1.Layer{static.NewLayer(busyboxLayer(tb), ggcrtypes.DockerLayer)}
	for n := range manyLayers {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		must(tb, w.WriteHeader(&tar.Header{Name: "other", Typeflag: tar.TypeReg, Mode: 0o644, Size: 2}))
		_, err := fmt.Fprintln(w, n)
		must(tb, errors.Join(err, w.Close()))
		layers = append(layers, static.NewLayer(b.Bytes(), ggcrtypes.DockerLayer))
	}
	img, err := mutate.AppendLayers(empty.Image, layers...)
	must(tb, err)
	img, err = mutate.ConfigFile(img, withConfig(tb, img, v1.Config{Cmd: []string{"/bin/busybox", "sh"}}))
	must(tb, err)
	ref, err := name.ParseReference(e.image(tag), name.Insecure)
	must(tb, err)
	must(tb, remote.Write(ref, img))
}
