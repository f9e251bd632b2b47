//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a command that somebody uses at a terminal.
type terminal struct {
	t      testing.TB
	master *os.File
	cmd    *exec.Cmd
	ended  chan error // has the command's end

	mu   sync.Mutex
	said bytes.Buffer // what it has shown and nobody has awaited yet
	all  bytes.Buffer
}

// atTerminal starts a command at a terminal of 100x30.
func atTerminal(t testing.TB, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	defer slave.Close()
	x := &terminal{t: t, master: master, cmd: cmd, ended: make(chan error, 1)}
	x.resize(100, 30)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(t, cmd.Start())
	read := make(chan struct{})
	go func() { // ends when the last process has closed the terminal
		defer close(read)
		b := make([]byte, 1<<16)
		for {
			n, err := master.Read(b)
			x.mu.Lock()
			x.said.Write(b[:n])
			x.all.Write(b[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { err := cmd.Wait(); <-read; x.ended <- err }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // all of its session's: aws starts the plugin
		master.Close()
		if t.Failed() {
			x.mu.Lock()
			defer x.mu.Unlock()
			t.Logf("--- %s showed:\n%.4000s", strings.Join(cmd.Args, " "), x.all.String())
		}
	})
	return x
}

func (x *terminal) resize(cols, rows uint16) {
	x.t.Helper()
	must(x.t, unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: cols, Row: rows}))
}

func (x *terminal) typed(keys string) {
	x.t.Helper()
	_, err := io.WriteString(x.master, keys)
	must(x.t, err)
}

// interrupt presses ctrl-C until the remote terminal shows it. To the plugin it is a signal, which it may send under the number of
// what is typed at the same moment: then one of the two is lost.
func (x *terminal) interrupt() {
	x.t.Helper()
	poll(x.t, patience, func(context.Context) error {
		x.typed("\x03")
		for range 100 {
			if x.shown("^C") {
				return nil
			}
			<-time.After(10 * time.Millisecond)
		}
		return errAgain("it did not show ^C")
	})
}

// shown reports whether the text has been shown, and forgets everything up to it.
func (x *terminal) shown(text string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := bytes.Index(x.said.Bytes(), []byte(text))
	if at >= 0 {
		x.said.Next(at + len(text))
	}
	return at >= 0
}

// await waits until the text has been shown, and forgets everything up to it.
func (x *terminal) await(text string) {
	x.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if x.shown(text) {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case err := <-x.ended:
			x.ended <- err
			if time.Now().After(deadline.Add(time.Second - patience)) {
				x.t.Fatalf("it ended with %v before it showed %q", err, text)
			}
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("it did not show %q", text)
		}
	}
}

// end waits for the command's end and returns its exit code.
func (x *terminal) end() int {
	x.t.Helper()
	select {
	case err := <-x.ended:
		x.ended <- err
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			x.t.Fatal(err)
		}
		return x.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		x.t.Fatal("it does not end")
	}
	return -1
}

// plugin builds the session-manager-plugin once and returns the directory that it is in.
var plugin = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join(filepath.Dir(binary), "plugin"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "session-manager-plugin"),
		"github.com/aws/session-manager-plugin/src/sessionmanagerplugin-main")
	build.Dir = "plugin"
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the session-manager-plugin: %w\n%s", err, out)
	}
	return dir, nil
})

// execute is `aws ecs execute-command` with the real plugin.
func (e *Env) execute(task, command string, flags ...string) *exec.Cmd {
	e.t.Helper()
	return e.aws(append([]string{"ecs", "execute-command", "--task", task, "--interactive", "--command", command}, flags...)...)
}

// awsCommand prefers Debian's, which is the oldest version that people have.
func awsCommand() string {
	const debian = "/usr/bin/aws"
	if _, err := os.Stat(debian); err != nil {
		return "aws"
	}
	return debian
}

// aws is the aws command line with the session-manager-plugin.
func (e *Env) aws(args ...string) *exec.Cmd {
	e.t.Helper()
	dir, err := plugin()
	must(e.t, err)
	cmd := exec.Command(awsCommand(), append([]string{"--endpoint-url", e.URL}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+":/usr/bin:/bin", "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+e.secret,
		"AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	return cmd
}
