package logs

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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
