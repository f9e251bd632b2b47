package logs_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/logs"
)

// TestMain doubles as the keeper process.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "log-keeper" {
		if err := logs.Main(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // tests of keepers wait for these, which wait before they end
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// A keeper outlives its agent by design, and so does the goroutine that waits for the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/roadstead/roadstead/agent/logs.(*Keeper).spawn.func1"))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func eventually(tb testing.TB, ok func() bool) {
	tb.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			tb.Fatal("not in time")
		case <-tick.C:
		}
	}
}

func read(tb testing.TB, path string, o logs.ReadOptions) []logs.Entry {
	tb.Helper()
	var out []logs.Entry
	for e, err := range logs.Read(context.Background(), path, o) {
		must(tb, err)
		out = append(out, e)
	}
	return out
}

func texts(entries []logs.Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Stream+":"+e.Log)
	}
	return out
}

// keeperProcess runs a real keeper of a directory.
type keeperProcess struct {
	*logs.Keeper
	dir  string
	stop func()
}

func startKeeper(t *testing.T, dir string) keeperProcess {
	t.Helper()
	return startWith(t, logs.KeeperConfig{Dir: dir})
}

func startWith(t *testing.T, cfg logs.KeeperConfig) keeperProcess {
	t.Helper()
	cfg.Command = []string{os.Args[0], "log-keeper"}
	k, err := logs.NewKeeper(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	stopped := false
	stop := func() {
		if cancel(); !stopped {
			must(t, <-done)
		}
		stopped = true
	}
	t.Cleanup(stop)
	return keeperProcess{k, cfg.Dir, stop}
}

func (k keeperProcess) pids(t *testing.T) []string {
	out, _ := exec.Command("pgrep", "-f", "log-keeper "+k.dir).Output()
	return strings.Fields(string(out))
}

type pipes struct{ out, err, log string }

func newPipes(t *testing.T) pipes {
	dir := t.TempDir()
	p := pipes{filepath.Join(dir, "out"), filepath.Join(dir, "err"), filepath.Join(dir, "log")}
	must(t, unix.Mkfifo(p.out, 0o600))
	must(t, unix.Mkfifo(p.err, 0o600))
	return p
}

// shim opens a fifo as containerd's does: for writing, and for reading so that it never sees a broken pipe.
func shim(t *testing.T, path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	return f
}

func TestKeeperWritesBothStreams(t *testing.T) {
	t.Parallel()
	k := startKeeper(t, t.TempDir())
	p := newPipes(t)
	must(t, k.Open(t.Context(), "c1", "", p.out, p.err, p.log))
	must(t, k.Open(t.Context(), "c1", "", p.out, p.err, p.log)) // again is nothing new
	out, errs := shim(t, p.out), shim(t, p.err)
	fmt.Fprint(out, "one\ntwo \"quoted\" \\ \t\x01 é \xff\nhalf")
	fmt.Fprint(errs, "oops\n")
	eventually(t, func() bool { b, err := os.ReadFile(p.log); return err == nil && strings.Count(string(b), "\n") == 3 })
	out.Close()
	errs.Close()
	eventually(t, func() bool { b, err := os.ReadFile(p.log); return err == nil && strings.Count(string(b), "\n") == 4 })
	got := texts(read(t, p.log, logs.ReadOptions{}))
	slices.Sort(got)
	want := []string{"stderr:oops\n", "stdout:half", "stdout:one\n", "stdout:two \"quoted\" \\ \t\x01 é \uFFFD\n"}
	if !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	eventually(t, func() bool {
		left, err := os.ReadDir(filepath.Join(k.dir, "streams"))
		return err == nil && len(left) == 0
	})
	k.stop()
	eventually(t, func() bool { return len(k.pids(t)) == 0 })
}

func TestKeeperOutlivesTheAgentAndIsReplaced(t *testing.T) {
	t.Parallel()
	cfg := logs.KeeperConfig{Dir: t.TempDir(), Patience: 100 * time.Millisecond} // the keeper stays
	k := startWith(t, cfg)
	p := newPipes(t)
	must(t, k.Open(t.Context(), "c1", "", p.out, p.err, p.log))
	out, errs := shim(t, p.out), shim(t, p.err)
	k.stop() // as an agent that ends or is killed: the keeper stays with the container
	fmt.Fprint(out, "without agent\n")
	eventually(t, func() bool { return len(read(t, p.log, logs.ReadOptions{})) == 1 })
	first := k.pids(t)
	if len(first) != 1 {
		t.Fatalf("keepers %v", first)
	}
	k = startWith(t, cfg)
	must(t, k.Open(t.Context(), "c1", "", p.out, p.err, p.log))
	if again := k.pids(t); !slices.Equal(first, again) {
		t.Errorf("keeper %v was not adopted: %v", first, again)
	}
	var pid int
	_, err := fmt.Sscan(first[0], &pid)
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	fmt.Fprint(out, "without keeper\n") // waits in the fifo
	eventually(t, func() bool { return len(read(t, p.log, logs.ReadOptions{})) == 2 })
	out.Close()
	errs.Close()
	k.stop()
}

// A container whose stdin is open never reads its end, whichever of the keeper and the agent is killed, one after the other.
func TestInputStaysOpen(t *testing.T) {
	t.Parallel()
	cfg := logs.KeeperConfig{Dir: t.TempDir(), Patience: 100 * time.Millisecond} // agents come and go while a keeper stays
	k := startWith(t, cfg)
	p := newPipes(t)
	in := filepath.Join(filepath.Dir(p.out), "in")
	must(t, unix.Mkfifo(in, 0o600))
	reader, err := unix.Open(in, unix.O_RDONLY|unix.O_NONBLOCK, 0) // as the shim does
	must(t, err)
	defer unix.Close(reader)
	must(t, k.Open(t.Context(), "c1", in, p.out, p.err, p.log))
	out, errs := shim(t, p.out), shim(t, p.err)
	defer errs.Close()
	ended := func() bool {
		n, err := unix.Read(reader, make([]byte, 1))
		return n == 0 && err == nil
	}
	lines := 0
	another := func() { // a keeper goes on
		t.Helper()
		lines++
		fmt.Fprintln(out, "a line")
		eventually(t, func() bool { return len(read(t, p.log, logs.ReadOptions{})) == lines })
	}
	another()
	for range 3 {
		pid := k.PID()
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		eventually(t, func() bool {
			if ended() {
				t.Fatal("without a keeper the container's input has ended")
			}
			return syscall.Kill(pid, 0) != nil
		})
		if ended() {
			t.Fatal("without a keeper the container's input has ended")
		}
		another()
		k.stop()
		if ended() {
			t.Fatal("without an agent the container's input has ended")
		}
		k = startWith(t, cfg)
		eventually(t, func() bool { return k.PID() != 0 })
		another()
		<-time.After(50 * time.Millisecond) // the agent has looked at what the keeper remembers
	}
	must(t, k.Close(t.Context(), "c1"))
	out.Close()
	if !ended() {
		t.Error("the input of a container that is closed is held open")
	}
}

func TestCloseEndsWhatNeverStarted(t *testing.T) {
	t.Parallel()
	k := startKeeper(t, t.TempDir())
	p := newPipes(t)
	must(t, k.Open(t.Context(), "c1", "", p.out, p.err, p.log))
	must(t, k.Close(t.Context(), "c1"))
	must(t, k.Close(t.Context(), "c1"))
	must(t, k.Close(t.Context(), "never"))
	eventually(t, func() bool {
		left, err := os.ReadDir(filepath.Join(k.dir, "streams"))
		return err == nil && len(left) == 0
	})
}

func TestOpenOfAMissingFifoIsAnError(t *testing.T) {
	t.Parallel()
	k := startKeeper(t, t.TempDir())
	err := k.Open(t.Context(), "c1", "", "/no/such/fifo", "", filepath.Join(t.TempDir(), "log"))
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v", err)
	}
}

func writeLog(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"log":"line %d\n","stream":"stdout","time":"2026-01-02T03:04:05.%09dZ"}`+"\n", i, i)
	}
	path := filepath.Join(t.TempDir(), "log")
	must(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func TestRead(t *testing.T) {
	path := writeLog(t, 5000)
	all := read(t, path, logs.ReadOptions{})
	if len(all) != 5000 || all[4999].Log != "line 4999\n" || all[7].Time.Nanosecond() != 7 {
		t.Fatalf("read %d records", len(all))
	}
	for _, n := range []int{1, 2, 999, 5000, 6000} {
		got := read(t, path, logs.ReadOptions{Tail: n})
		if len(got) != min(n, 5000) || got[0].Log != fmt.Sprintf("line %d\n", 5000-len(got)) {
			t.Errorf("tail %d gave %d records from %q", n, len(got), got[0].Log)
		}
	}
	rest := read(t, path, logs.ReadOptions{Offset: all[4989].Next})
	if len(rest) != 10 || rest[0].Log != "line 4990\n" {
		t.Errorf("from an offset: %d records", len(rest))
	}
	for _, err := range logs.Read(t.Context(), path+"x", logs.ReadOptions{}) {
		if err == nil {
			t.Error("a missing file was read")
		}
	}
	for range logs.Read(t.Context(), path, logs.ReadOptions{}) {
		break // a reader may stop early
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan string), make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range logs.Read(ctx, path, logs.ReadOptions{Follow: true, Poll: time.Millisecond}) {
			if err != nil {
				t.Error(err)
				return
			}
			got <- e.Log
		}
	}()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for _, part := range []string{`{"log":"a\n","stre`, `am":"stdout","time":"2026-01-02T03:04:05Z"}` + "\n" + `{"log":"b\n","stream":"stderr","time":"2026-01-02T03:04:05Z"}` + "\n"} {
		_, err := f.WriteString(part)
		must(t, err)
	}
	for _, want := range []string{"a\n", "b\n"} {
		if g := <-got; g != want {
			t.Errorf("got %q, want %q", g, want)
		}
	}
	cancel()
	<-done
}

// What a container loses is in its agent's log: while it writes, and what it lost while no agent was there in the next one's.
func TestLossesAreInTheAgentsLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newPipes(t)
	must(t, logs.SetLimits(p.log, logs.Limits{Sent: p.log + ".sent", Backlog: 200, Keep: -1}))
	agent := func() (keeperProcess, func() string) {
		said := filepath.Join(t.TempDir(), "agent.log")
		f, err := os.Create(said)
		must(t, err)
		t.Cleanup(func() { f.Close() })
		k := startWith(t, logs.KeeperConfig{Dir: dir, Patience: 100 * time.Millisecond, Ask: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(f, nil))})
		return k, func() string {
			b, err := os.ReadFile(said)
			must(t, err)
			return string(b)
		}
	}
	k, said := agent()
	must(t, k.Open(t.Context(), "t1-app", "", p.out, p.err, p.log))
	out, errs := shim(t, p.out), shim(t, p.err)
	fmt.Fprint(out, strings.Repeat("line\n", 5)) // there is always room for the first
	eventually(t, func() bool { return len(read(t, p.log, logs.ReadOptions{})) == 5 })
	fmt.Fprint(out, strings.Repeat("line\n", 100))
	eventually(t, func() bool {
		return strings.Contains(said(), `level=WARN msg="log lines are lost: there was no room for them" container=t1-app lines=100 bytes=`)
	})
	k.stop()
	fmt.Fprint(errs, strings.Repeat("line\n", 7))
	out.Close()
	errs.Close()
	eventually(t, func() bool { // with the container, the keeper ends
		left, err := os.ReadDir(filepath.Join(dir, "streams"))
		return err == nil && len(left) == 0 && len(k.pids(t)) == 0
	})
	_, said = agent()
	eventually(t, func() bool { return strings.Contains(said(), "container=t1-app lines=7 bytes=") })
	if strings.Contains(said(), "lines=100") {
		t.Errorf("it is said again: %s", said())
	}
}
