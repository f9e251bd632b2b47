package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/agent/logdriver"
)

// collector takes syslog over TCP. It can be killed and begun again.
type collector struct {
	t  *testing.T
	at string
	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	lines []string          // guarded by mu
	conns map[net.Conn]bool // guarded by mu
}

func (c *collector) start() {
	l, err := net.Listen("tcp", c.at)
	if err != nil {
		c.t.Fatal(err)
	}
	c.l, c.at, c.conns = l, l.Addr().String(), map[net.Conn]bool{}
	c.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.mu.Lock()
			c.conns[conn] = true
			c.mu.Unlock()
			c.wg.Go(func() {
				in := bufio.NewReader(conn)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						conn.Close()
						return
					}
					_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), "]: ")
					c.mu.Lock()
					c.lines = append(c.lines, line)
					c.mu.Unlock()
				}
			})
		}
	})
}

func (c *collector) kill() {
	c.l.Close()
	c.mu.Lock()
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.wg.Wait()
}

// await waits for the line and returns all without repetitions.
func (c *collector) await(last string) []string {
	c.t.Helper()
	for {
		c.mu.Lock()
		lines := slices.Clone(c.lines)
		c.mu.Unlock()
		if slices.Contains(lines, last) {
			return lines
		}
		if !pause(c.t.Context(), 5*time.Millisecond) {
			c.t.Fatalf("no %q among %d lines", last, len(lines))
		}
	}
}

// Lines of other drivers go out as they come, wait for a receiver that is away and for an agent that is, and the last one of a
// container that dies arrives.
func TestShipToReceiver(t *testing.T) {
	c := &collector{t: t, at: "127.0.0.1:0"}
	c.start()
	d := newDock(t, t.TempDir())
	d.start()
	to := Destination{Receiver: &Receiver{Driver: logdriver.Syslog, Options: map[string]string{"syslog-address": "tcp://" + c.at}, Facts: logdriver.Facts{ID: "c"}}}
	if err := d.ship.Open(t.Context(), "c", d.path, to); err != nil {
		t.Fatal(err)
	}
	var want []string
	write := func(n int) string {
		for range n {
			line := fmt.Sprintf("line %d", len(want))
			want = append(want, line)
			d.write([]string{Stdout, Stderr}[len(want)%2], line+"\n")
		}
		return want[len(want)-1]
	}
	c.await(write(10))
	c.kill()
	last := write(5000) // more than are handed over at once
	c.start()
	c.await(last)
	d.end()
	last = write(10)
	d.start()
	c.await(last)
	c.kill()
	d.end()
	last = write(10)
	d.start()
	write(1)
	c.start()
	c.await(last)
	d.write(Stdout, "the end, without an end of line")
	if err := d.ship.Flush(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	got := c.await("the end, without an end of line")
	seen := map[string]bool{}
	got = slices.DeleteFunc(got, func(l string) bool { twice := seen[l]; seen[l] = true; return twice })
	if want = append(want, "the end, without an end of line"); !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d in order", len(got), len(want))
	}
	saved, err := os.Stat(filepath.Join(d.dir, "c.json"))
	if err != nil || saved.Mode().Perm() != 0o600 {
		t.Errorf("the shipment's file: %v %v", saved.Mode(), err)
	}
	if err := os.Remove(d.path); err != nil {
		t.Fatal(err)
	}
	for len(mustList(t, d.dir)) > 0 {
		pause(t.Context(), 5*time.Millisecond)
	}
	d.end()
	c.kill()
}

func mustList(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A receiver that is not there fails the start, in Docker's words.
func TestShipNeedsReceiver(t *testing.T) {
	d := newDock(t, t.TempDir())
	d.start()
	defer d.end()
	to := Destination{Receiver: &Receiver{Driver: logdriver.Fluentd, Options: map[string]string{"fluentd-address": "127.0.0.1:1"}}}
	err := d.ship.Open(t.Context(), "c", d.path, to)
	if err == nil || err.Error() != "failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Errorf("got %v", err)
	}
	to.Receiver.Options["fluentd-async"] = "true"
	if err := d.ship.Open(t.Context(), "c", d.path, to); err != nil {
		t.Error(err)
	}
}

// A line that was cut is messages that say so, also when they are not read at once; the last line of a stream needs no end.
func TestMessages(t *testing.T) {
	d := newDock(t, t.TempDir())
	long := strings.Repeat("a", MaxLine)
	d.write(Stdout, "whole\n")
	d.write(Stdout, long)
	d.write(Stderr, "between\n")
	d.write(Stdout, long)
	d.write(Stdout, "end\n")
	d.write(Stdout, "no end")
	var got []string
	var parts map[string]part
	ids := map[string]bool{}
	for offset := int64(0); ; {
		messages, next, open, err := readMessages(d.path, "c", offset, parts)
		if err != nil {
			t.Fatal(err)
		}
		if next == offset {
			break
		}
		first := messages[0]
		_, offset, parts, err = readOne(d.path, offset, parts)
		if err != nil || len(messages) == 1 && len(open) != len(parts) {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%s %d", first.Stream, len(first.Line))
		if p := first.Partial; p != nil {
			ids[p.ID] = true
			text += fmt.Sprintf(" part %d %t", p.Ordinal, p.Last)
		}
		got = append(got, text)
	}
	want := []string{"stdout 5", "stdout 16384 part 1 false", "stderr 7", "stdout 16384 part 2 false", "stdout 3 part 3 true", "stdout 6"}
	if !slices.Equal(got, want) || len(ids) != 1 {
		t.Errorf("got %q with %d ids, want %q", got, len(ids), want)
	}
}

// readOne reads one record as a batch of its own.
func readOne(path string, offset int64, parts map[string]part) ([]logdriver.Message, int64, map[string]part, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, nil, err
	}
	line, _, _ := strings.Cut(string(b[offset:]), "\n")
	short := path + ".one"
	if err := os.WriteFile(short, b[:int(offset)+len(line)+1], 0o600); err != nil {
		return nil, 0, nil, err
	}
	return readMessages(short, "c", offset, parts)
}

// far is a receiver with faults, and the driver to it.
type far struct {
	mu    sync.Mutex
	lines []string
	away  bool
	lost  int // answers that will be
}

func (f *far) Connect(ctx context.Context) error { return ctx.Err() }
func (f *far) Close() error                      { return nil }

func (f *far) Send(ctx context.Context, messages []logdriver.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil || f.away {
		return errors.Join(ctx.Err(), errors.New("away"))
	}
	for _, m := range messages {
		f.lines = append(f.lines, m.Line)
	}
	if len(messages) > 0 && f.lost > 0 {
		f.lost--
		return errors.New("the answer is lost")
	}
	return nil
}

// Whatever fails and whenever the agent is killed, each line arrives, for the first time in order.
func TestReceiverHasAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 5, 40).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			f := &far{}
			d := newDock(rt, dir)
			d.driver = func(string, map[string]string, logdriver.Facts) (logdriver.Driver, error) { return f, nil }
			d.start()
			if err := d.ship.Open(t.Context(), "c", d.path, Destination{Receiver: &Receiver{Driver: "far"}}); err != nil {
				rt.Fatal(err)
			}
			var want []string
			for i, step := range steps {
				f.mu.Lock()
				switch step {
				case 0:
					f.away = !f.away
				case 1:
					f.lost++
				case 2, 3: // killed: nothing is sent at the end, and what is not on the disk is forgotten
					before := f.away
					f.away = true
					f.mu.Unlock()
					saved, err := os.ReadFile(filepath.Join(d.dir, "c.json"))
					if err != nil {
						rt.Fatal(err)
					}
					d.end()
					if err := os.WriteFile(filepath.Join(d.dir, "c.json"), saved, 0o600); err != nil {
						rt.Fatal(err)
					}
					f.mu.Lock()
					f.away = before
					d.start()
				}
				f.mu.Unlock()
				for k := range step {
					want = append(want, fmt.Sprintf("%d line %d", k, i))
					d.write([]string{Stdout, Stderr}[k%2], want[len(want)-1]+"\n")
				}
				time.Sleep(time.Duration(step) * 70 * time.Millisecond)
			}
			f.mu.Lock()
			f.away, f.lost = false, 0
			f.mu.Unlock()
			time.Sleep(2 * time.Minute)
			if err := d.ship.Flush(t.Context(), "c"); err != nil {
				rt.Fatal(err)
			}
			d.end()
			seen := map[string]bool{}
			got := slices.DeleteFunc(f.lines, func(l string) bool { twice := seen[l]; seen[l] = true; return twice })
			if !slices.Equal(got, want) {
				rt.Fatalf("got %q, want %q", got, want)
			}
		})
	})
}
