//go:build e2e

package e2e_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is one roadstead that we started.
type process struct {
	t    testing.TB
	name string
	// program is what is run, "" for the binary that is tested.
	program string
	args    []string
	env     []string
	log     string // what it wrote, of all its lives
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the present life has ended
	ready   chan string   // the URL of its "ready" line
}

// start runs `roadstead ARGS`. What it writes is shown when the test fails.
func start(t testing.TB, dir, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, args: args, env: env, log: filepath.Join(dir, name+".log")}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("--- %s (%s) wrote:\n%s", name, strings.Join(args, " "), tail(p.log, 40))
		}
	})
	p.again()
	return p
}

// again begins another life with the same arguments.
func (p *process) again() {
	p.t.Helper()
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(p.t, err)
	defer out.Close()
	p.cmd = exec.Command(cmp.Or(p.program, binary), p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	must(p.t, err)
	must(p.t, p.cmd.Start())
	p.ended, p.ready = make(chan struct{}), make(chan string, 1)
	go func(cmd *exec.Cmd, ended chan struct{}, ready chan string) { // ends with the process
		defer close(ended)
		defer cmd.Wait()
		readReady(stdout, ready)
	}(p.cmd, p.ended, p.ready)
}

func readReady(r io.Reader, ready chan<- string) {
	for in := bufio.NewScanner(r); in.Scan(); {
		if url, ok := strings.CutPrefix(in.Text(), "ready "); ok {
			select {
			case ready <- url:
			default:
			}
		}
	}
}

// AwaitReady waits for the "ready URL" line.
func (p *process) AwaitReady(d time.Duration) string {
	p.t.Helper()
	select {
	case url := <-p.ready:
		return url
	case <-p.ended:
		p.t.Fatalf("%s ended before it was ready: %v\n%s", p.name, p.cmd.ProcessState, tail(p.log, 20))
	case <-time.After(d):
		p.t.Fatalf("%s is not ready after %s\n%s", p.name, d, tail(p.log, 20))
	}
	return ""
}

// Kill9 kills the process and waits until it is gone.
func (p *process) Kill9() {
	p.t.Helper()
	must(p.t, p.cmd.Process.Kill())
	<-p.ended
}

// Term asks the process to end and returns its exit code.
func (p *process) Term(d time.Duration) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(d):
		p.t.Errorf("%s does not end %s after SIGTERM\n%s", p.name, d, tail(p.log, 20))
		p.Kill9()
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// tail returns the last lines of a file.
func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// errAgain says that what is awaited has not come yet; the text says what was seen instead.
type errAgain string

func (e errAgain) Error() string { return string(e) }

// poll calls look until it returns nil, every 25 ms, and fails the test when d has passed or the error is final, that is
// no errAgain. It returns how long that took.
func poll(t testing.TB, d time.Duration, look func(ctx context.Context) error) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look(ctx)
		if err == nil {
			return time.Since(began)
		}
		var again errAgain
		if ctx.Err() == nil && !errors.As(err, &again) {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %s: %v", d, err)
		}
	}
}
