//go:build bench || e2e

package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one that is measured.
type process struct {
	cmd  *exec.Cmd
	url  string // of the server
	once sync.Once
}

// self is this process.
func self() *process { return &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}} }

// start runs a program; line is called with what it prints until it returns false.
func start(b *testing.B, cmd *exec.Cmd, line func(string) bool) *process {
	b.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: cmd}
	b.Cleanup(p.end)
	for s := bufio.NewScanner(out); s.Scan(); {
		if !line(s.Text()) {
			return p
		}
	}
	b.Fatalf("%s ended before it was ready", cmd.Path)
	return nil
}

func startServer(ctx context.Context, b *testing.B, dir string) *process {
	args := []string{"server", "--data-dir", dir, "--listen", "127.0.0.1:0", "--log-level", "error"}
	cmd := exec.CommandContext(ctx, *binary, args...)
	if *profile != "" {
		cmd = exec.CommandContext(ctx, os.Args[0], append([]string{*profile}, args...)...)
		cmd.Env = append(os.Environ(), "ROADSTEAD_BENCH_ROLE=server")
	}
	cmd.Env = append(cmd.Environ(), "ROADSTEAD_ROOT_KEY_ID="+key, "ROADSTEAD_ROOT_SECRET="+key)
	url := ""
	p := start(b, cmd, func(line string) bool {
		var ready bool
		url, ready = strings.CutPrefix(line, "ready ")
		return !ready
	})
	p.url = url
	return p
}

func startNodes(ctx context.Context, b *testing.B, url, token string) *process {
	cmd := exec.CommandContext(ctx, os.Args[0], *profile, url, token, strconv.Itoa(*agents), latency.String())
	cmd.Env = append(os.Environ(), "ROADSTEAD_BENCH_ROLE=nodes")
	return start(b, cmd, func(string) bool { return false })
}

// end asks the process to end and waits for it; a second time it does nothing.
func (p *process) end() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	})
}

// profiled runs f. At SIGUSR1 it leaves profiles of heap and goroutines in the directory; SIGUSR2 begins that of the processor,
// and a second one ends it.
func profiled(dir, name string, f func() int) int {
	if dir == "" {
		return f()
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() { // as long as the process
		began := false
		for n := 1; ; n++ {
			switch {
			case <-asked == syscall.SIGUSR1:
				write(filepath.Join(dir, fmt.Sprintf("%s.heap-%d", name, n)), pprof.Lookup("heap").WriteTo)
				write(filepath.Join(dir, fmt.Sprintf("%s.goroutine-%d", name, n)), pprof.Lookup("goroutine").WriteTo)
			case began:
				pprof.StopCPUProfile()
			default:
				if out, err := os.Create(filepath.Join(dir, name+".cpu")); err == nil {
					began = pprof.StartCPUProfile(out) == nil
				}
			}
		}
	}()
	return f()
}

func write(path string, profile func(w io.Writer, debug int) error) {
	if out, err := os.Create(path); err == nil {
		_ = profile(out, 0)
		out.Close()
	}
}

// signal asks a process that is profiled for something.
func (p *process) signal(s syscall.Signal) {
	if *profile != "" {
		_ = p.cmd.Process.Signal(s)
		<-time.After(time.Second)
	}
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	const ticks = 100 // a second: USER_HZ of Linux
	return time.Duration(user+system) * time.Second / ticks
}

// rss is the resident memory in MiB, peak the most that it was, mapped what of it is files: the program and etcd's database.
func (p *process) rss() float64    { return p.status("VmRSS:") }
func (p *process) peak() float64   { return p.status("VmHWM:") }
func (p *process) mapped() float64 { return p.status("RssFile:") }

func (p *process) status(name string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), name)
	kib, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kib / 1024
}

// metric reads one of the server's metrics that have no labels.
func (p *process) metric(ctx context.Context, b *testing.B, name string) float64 {
	b.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatalf("no metric %s", name)
	return 0
}
