package runtime

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inRunc runs a shell script in a process that is called like runc's, with the gate as $0.
func inRunc(t *testing.T, gate, script string) *os.Process {
	t.Helper()
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), waiting)
	if err := os.WriteFile(program, shell, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", script, gate)
	in, err := cmd.StdinPipe() // `read` waits on it
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process
}

// TestPassGate plays runc's side of the gate.
func TestPassGate(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         error
		removed      bool
	}{
		{"the process becomes the command", `echo 0 > "$0"; exec sleep 60`, nil, true},
		{"the command ends at once", `echo 0 > "$0"`, nil, true},
		{"opened before, by a start that was killed", `exec sleep 60`, nil, true},
		{"the process dies", `exit 1`, errDead, false},
		{"the process does not come", `read x`, context.DeadlineExceeded, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate := filepath.Join(t.TempDir(), gateName)
			if err := unix.Mkfifo(gate, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if errors.Is(c.want, context.DeadlineExceeded) {
				ctx, cancel = context.WithTimeout(t.Context(), 350*time.Millisecond) // some looks at the process
				defer cancel()
			}
			err := passGate(ctx, gate, inRunc(t, gate, c.script).Pid)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if _, err := os.Stat(gate); errors.Is(err, fs.ErrNotExist) != c.removed {
				t.Errorf("gate: %v", err)
			}
		})
	}
	t.Run("there is none", func(t *testing.T) {
		if err := passGate(t.Context(), filepath.Join(t.TempDir(), gateName), os.Getpid()); !errors.Is(err, errNoGate) {
			t.Error(err)
		}
	})
}
