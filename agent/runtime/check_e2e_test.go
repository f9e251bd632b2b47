//go:build e2e

package runtime_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/agent/runtime"
)

// A health check runs as the container's user, in its environment and directory.
func TestCheckIsLikeTheContainer(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("like", "sleep 1000")
	spec.Config.User, spec.Config.WorkingDir, spec.Environment = "app", "/tmp", map[string]string{"A": "b"}
	e.start(t, spec)
	run, err := e.rt.Check(within(t, time.Minute), spec.ID, []string{"/bin/sh", "-c", "id -u; echo $A $FROM $PWD; echo well >&2; exit 4"}, time.Minute)
	must(t, err)
	said := strings.Replace(run.Output, "well\n", "", 1) // the two streams come in any order
	if run.ExitCode != 4 || said != "1234\nb image /tmp\n" || said == run.Output {
		t.Errorf("check = %+v", run)
	}
	run, err = e.rt.Check(within(t, time.Minute), spec.ID, []string{"/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x"}, time.Minute)
	if must(t, err); run.ExitCode != 0 || len(run.Output) != 4096 {
		t.Errorf("check that says much: exit code %d, %d bytes", run.ExitCode, len(run.Output))
	}
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}

// Nothing that a check has started survives its timeout, or an agent that is killed.
func TestCheckIsKilledWhole(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("killed", "sleep 1000")
	e.start(t, spec)
	family := []string{"/bin/sh", "-c", "sleep 7654 & sh -c 'sleep 7654; :' & sleep 7654; :"}
	run, err := e.rt.Check(within(t, time.Minute), spec.ID, family, time.Second)
	if must(t, err); !run.TimedOut {
		t.Fatalf("check = %+v", run)
	}
	eventually(t, 5*time.Second, func() bool { return sleepers(t, "7654") == 0 })

	other, err := runtime.New(e.cfg)
	must(t, err)
	ended := make(chan error, 1)
	go func() { _, err := other.Check(within(t, time.Minute), spec.ID, family, time.Minute); ended <- err }()
	eventually(t, 20*time.Second, func() bool { return sleepers(t, "7654") == 3 })
	other.Close()
	if err := <-ended; err == nil {
		t.Error("a check ended well without its runtime")
	}
	run, err = e.rt.Check(within(t, time.Minute), spec.ID, []string{"/bin/echo", "hello"}, time.Minute)
	if must(t, err); run.Output != "hello\n" {
		t.Errorf("check after a killed agent = %+v", run)
	}
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	if n := sleepers(t, "7654"); n != 0 {
		t.Errorf("%d processes of the check are left", n)
	}
	e.leftovers(t)
}

// What a check leaves running does not hold it up.
func TestCheckLeavesSomethingRunning(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("behind", "sleep 1000")
	e.start(t, spec)
	began := time.Now()
	run, err := e.rt.Check(within(t, time.Minute), spec.ID, []string{"/bin/sh", "-c", "sleep 7655 & echo well"}, time.Minute)
	if must(t, err); run.ExitCode != 0 || time.Since(began) > 20*time.Second {
		t.Errorf("check = %+v after %s", run, time.Since(began))
	}
	t.Logf("%q after %s", run.Output, time.Since(began))
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}

func BenchmarkCheck(b *testing.B) {
	e := newEnv(b)
	spec := e.spec("bench", "sleep 1000")
	e.start(b, spec)
	for b.Loop() {
		if run, err := e.rt.Check(b.Context(), spec.ID, []string{"/bin/true"}, time.Minute); err != nil || run.ExitCode != 0 {
			b.Fatal(run, err)
		}
	}
	must(b, e.rt.Delete(within(b, time.Minute), spec.ID))
}

// sleepers counts the processes of this machine that sleep so long.
func sleepers(t *testing.T, seconds string) int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.HasPrefix(string(b), "sleep\x00"+seconds) {
			n++
		}
	}
	return n
}
