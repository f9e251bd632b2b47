//go:build e2e

package runtime_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/agent/task"
)

// exec runs a command with a terminal in the container.
func (e *env) exec(t *testing.T, id, name string, args ...string) *runtime.Process {
	t.Helper()
	p, err := e.rt.Exec(within(t, time.Minute), id, runtime.ExecSpec{Name: name, Args: args, Terminal: true, Cols: 100, Rows: 30})
	must(t, err)
	return p
}

// [D] SEMANTICS §13.8: a session's command is root whoever the container's user is, in the container's environment and directory,
// and what it writes to a read-only file system fails.
func TestExecIsRootInTheContainer(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("root", "sleep 1000")
	spec.Config.User, spec.Config.WorkingDir, spec.Environment, spec.HostConfig.ReadonlyRootfs = "app", "/tmp", map[string]string{"A": "b"}, true
	e.start(t, spec)
	p := e.exec(t, spec.ID, "one", "/bin/sh", "-c", "id -u; echo $A $FROM $PWD $TERM; stty size; touch /x 2>/dev/null || echo read-only; chown 5 /dev/shm && echo may; exit 4")
	out, err := io.ReadAll(p.Stdout())
	must(t, err)
	code, err := p.Wait(within(t, time.Minute))
	must(t, err)
	if want := "0\nb image /tmp xterm-256color\n30 100\nread-only\nmay\n"; code != 4 || strings.ReplaceAll(string(out), "\r", "") != want {
		t.Errorf("exit code %d, output %q, want %q", code, out, want)
	}
	must(t, p.Close(within(t, time.Minute)))
	if left, _ := filepath.Glob(filepath.Join(e.cfg.Dir, "containers", "*", "exec-*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}

// Input, a change of size and ctrl-C reach the command's terminal.
func TestExecTerminal(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("terminal", "sleep 1000")
	e.start(t, spec)
	p := e.exec(t, spec.ID, "one", "/bin/sh")
	var out bytes.Buffer
	await := func(text string) {
		t.Helper()
		b := make([]byte, 4096)
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(out.String(), text); {
			n, err := p.Stdout().Read(b)
			if out.Write(b[:n]); err != nil || time.Now().After(deadline) {
				t.Fatalf("%v, no %q in %q", err, text, out.String())
			}
		}
		out.Reset()
	}
	typed := func(text string) {
		t.Helper()
		_, err := p.Write([]byte(text))
		must(t, err)
	}
	typed("stty size; echo e''nd\r")
	await("30 100\r\nend")
	must(t, p.Resize(within(t, time.Minute), 80, 25))
	typed("stty size; sleep 7661; echo e''nd $?\r")
	await("25 80")
	eventually(t, 20*time.Second, func() bool { return sleepers(t, "7661") == 1 })
	typed("\x03")
	typed("echo c''ode $?\r")
	await("code 130")
	typed("exit 3\r")
	code, err := p.Wait(within(t, time.Minute))
	if must(t, err); code != 3 {
		t.Errorf("exit code %d", code)
	}
	must(t, p.Close(within(t, time.Minute)))
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}

// Ten MiB come byte for byte, also from a command that ends before the first of them is read and leaves something running.
func TestExecLongOutput(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("long", "sleep 1000")
	e.start(t, spec)
	p, err := e.rt.Exec(within(t, time.Minute), spec.ID, runtime.ExecSpec{Name: "one",
		Args: []string{"/bin/sh", "-c", "sleep 7662 & cat; echo done >&2; head -c 3000 /dev/zero"}})
	must(t, err)
	want := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	go func() {
		_, _ = p.Write(want)
		_ = p.CloseStdin(within(t, time.Minute))
	}()
	got := make([]byte, len(want))
	_, err = io.ReadFull(p.Stdout(), got)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("the bytes are others")
	}
	_, err = p.Wait(within(t, time.Minute))
	must(t, err)
	<-within(t, 2*time.Second).Done() // longer than the quiet that is taken for the end
	rest, err := io.ReadAll(p.Stdout())
	if must(t, err); len(rest) != 3000 {
		t.Errorf("%d bytes after the end of the command", len(rest))
	}
	said, err := io.ReadAll(p.Stderr())
	if must(t, err); string(said) != "done\n" {
		t.Errorf("stderr %q", said)
	}
	must(t, p.Close(within(t, time.Minute)))
	if n := sleepers(t, "7662"); n != 1 {
		t.Errorf("%d of what it left run", n)
	}
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}

// A killed session takes along what it has started, also in other process groups; so does the next agent for one that an agent left.
func TestExecIsKilledWhole(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("killed", "sleep 1000")
	e.start(t, spec)
	family := []string{"/bin/sh", "-c", "set -m; sleep 7663 & sh -c 'sleep 7663; :' & sleep 7663; :"}
	p := e.exec(t, spec.ID, "one", family...)
	eventually(t, 20*time.Second, func() bool { return sleepers(t, "7663") == 3 })
	p.Kill(within(t, time.Minute))
	eventually(t, 5*time.Second, func() bool { return sleepers(t, "7663") == 0 })
	must(t, p.Close(within(t, time.Minute)))

	other, err := runtime.New(e.cfg)
	must(t, err)
	if _, err := other.Exec(within(t, time.Minute), spec.ID, runtime.ExecSpec{Name: "two", Args: family, Terminal: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() bool { return sleepers(t, "7663") == 3 })
	other.Close()
	must(t, e.rt.EndExecs(within(t, time.Minute)))
	eventually(t, 5*time.Second, func() bool { return sleepers(t, "7663") == 0 })
	p = e.exec(t, spec.ID, "two", "/bin/true")
	code, err := p.Wait(within(t, time.Minute))
	if must(t, err); code != 0 {
		t.Errorf("exit code %d", code)
	}
	must(t, p.Close(within(t, time.Minute)))
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}

// The end of the container ends its sessions; a command that is not there is named.
func TestExecEndsWithTheContainer(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("ends", "sleep 1000")
	e.start(t, spec)
	var f *task.Failure
	_, err := e.rt.Exec(within(t, time.Minute), spec.ID, runtime.ExecSpec{Name: "none", Args: []string{"/no/such"}, Terminal: true})
	if !errors.As(err, &f) || f.Name != "CannotExecContainerError" || !strings.Contains(fmt.Sprint(err), "/no/such") {
		t.Errorf("a command that is not there: %v", err)
	}
	p := e.exec(t, spec.ID, "one", "/bin/sleep", "1000")
	must(t, e.rt.Signal(within(t, time.Minute), spec.ID, "SIGKILL"))
	code, err := p.Wait(within(t, time.Minute))
	if must(t, err); code != 137 {
		t.Errorf("exit code %d", code)
	}
	_, err = io.ReadAll(p.Stdout())
	must(t, err)
	must(t, p.Close(within(t, time.Minute)))
	must(t, e.rt.Delete(within(t, time.Minute), spec.ID))
	e.leftovers(t)
}
