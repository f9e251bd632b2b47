package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	"github.com/roadstead/roadstead/model"
)

// cloud is CloudWatch Logs, with faults.
type cloud struct {
	mu     sync.Mutex
	groups map[string]map[string][]event
	puts   int
	fault  func(op string) (before, after error) // before: the call does nothing; after: it does, and its answer is lost
}

func (c *cloud) call(ctx context.Context, op string, in, out any) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	var q struct {
		LogGroupName, LogStreamName string
		LogEvents                   []event
		Limit                       int
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var after error
	if c.fault != nil {
		var before error
		if before, after = c.fault(op); before != nil {
			return before
		}
	}
	streams, known := c.groups[q.LogGroupName]
	events, stream := streams[q.LogStreamName]
	switch {
	case op == "CreateLogGroup" && known, op == "CreateLogStream" && stream:
		return model.Errorf("ResourceAlreadyExistsException", "exists")
	case op == "CreateLogGroup":
		c.groups[q.LogGroupName] = map[string][]event{}
	case !known:
		return model.Errorf("ResourceNotFoundException", "The specified log group does not exist.")
	case op == "CreateLogStream":
		streams[q.LogStreamName] = []event{}
	case !stream:
		return model.Errorf("ResourceNotFoundException", "The specified log stream does not exist.")
	case op == "PutLogEvents":
		if !slices.IsSortedFunc(q.LogEvents, func(a, b event) int { return int(a.Timestamp - b.Timestamp) }) || len(b) > 2<<20 || len(q.LogEvents) > 10_000 {
			return model.Errorf("InvalidParameterException", "a bad batch of %d events, %d bytes", len(q.LogEvents), len(b))
		}
		c.puts++
		streams[q.LogStreamName] = append(events, q.LogEvents...)
	case op == "GetLogEvents":
		b, err := json.Marshal(map[string]any{"events": events[max(0, len(events)-q.Limit):]})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, out); err != nil {
			return err
		}
	}
	return after
}

func (c *cloud) lines(group, stream string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, e := range c.groups[group][stream] {
		out = append(out, e.Message)
	}
	return out
}

// dock is a node's directory, and a shipper that can be ended and begun again.
type dock struct {
	t     rapid.TB
	cloud *cloud
	dir   string
	path  string
	ship  *Shipper
	end   func()

	driver func(string, map[string]string, logdriver.Facts) (logdriver.Driver, error)
}

func newDock(t rapid.TB, dir string) *dock {
	return &dock{t: t, cloud: &cloud{groups: map[string]map[string][]event{"g": {}}}, dir: filepath.Join(dir, "shipping [of] *"), path: filepath.Join(dir, "c.json")}
}

func (d *dock) start() {
	s, err := NewShipper(ShipperConfig{Dir: d.dir, Driver: d.driver, Call: func(ctx context.Context, _, op string, in, out any) error { return d.cloud.call(ctx, op, in, out) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	d.ship, d.end = s, func() { cancel(); <-done }
}

// write appends records as the keeper does; text without an end of line is a part of one.
func (d *dock) write(stream, text string) {
	var b []byte
	for len(text) > 0 {
		n := strings.IndexByte(text, '\n') + 1
		if n == 0 {
			n = len(text)
		}
		b = appendRecord(b, []byte(text[:n]), stream, time.Now())
		text = text[n:]
	}
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.Write(b)
		f.Close()
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *dock) want(t testing.TB, lines ...string) {
	t.Helper()
	if got := d.cloud.lines("g", "s"); !slices.Equal(got, lines) {
		t.Errorf("sent %q, want %q", got, lines)
	}
}

func TestShip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, t.TempDir())
		d.start()
		if err := d.ship.Open(t.Context(), "c", d.path, Destination{Group: "g", Stream: "s"}); err != nil {
			t.Fatal(err)
		}
		d.write(Stdout, "one\ntwo\n\n")
		time.Sleep(3 * time.Second)
		d.want(t, "one", "two") // there are no empty events
		d.write(Stdout, "a part")
		d.write(Stderr, "between\n")
		d.write(Stdout, ", and its end\nlast, without an end")
		time.Sleep(5 * time.Second)
		d.want(t, "one", "two", "between", "a part, and its end", "last, without an end")
		d.end()
		d.start()
		d.write(Stdout, "\nthe next agent\n")
		time.Sleep(5 * time.Second)
		d.want(t, "one", "two", "between", "a part, and its end", "last, without an end", "the next agent")
		if err := os.Remove(d.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if left, _ := os.ReadDir(d.dir); len(left) != 0 {
			t.Errorf("the file is gone, and %v is left", left)
		}
		d.end()
	})
}

// The last lines of containers go out when the agent ends.
func TestShipAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, t.TempDir())
		d.start()
		if err := d.ship.Open(t.Context(), "c", d.path, Destination{Group: "g", Stream: "s"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		d.write(Stdout, "last\n")
		d.end()
		d.want(t, "last")
	})
}

// A group that is missing fails the start, with AWS's text, unless it is to be made (SEMANTICS §13.7) [D].
func TestShipNeedsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, t.TempDir())
		d.start()
		defer d.end()
		err := d.ship.Open(t.Context(), "c", d.path, Destination{Group: "none", Stream: "s"})
		if err == nil || !strings.Contains(err.Error(), "failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.") {
			t.Errorf("got %v", err)
		}
		if err := d.ship.Open(t.Context(), "c", d.path, Destination{Group: "none", Stream: "s", CreateGroup: true}); err != nil {
			t.Error(err)
		}
		d.cloud.fault = func(string) (error, error) { return errors.New("connection refused"), nil }
		if err := d.ship.Open(t.Context(), "d", d.path, Destination{Group: "g", Stream: "s"}); err != nil {
			t.Errorf("a control plane that is away: %v", err)
		}
	})
}

// Whatever fails and whenever the agent is killed, each line arrives once and in order.
func TestShipOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := t.TempDir()
		begins := rapid.SampledFrom([]string{"", "^[0-4]"}).Draw(rt, "begins")
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 5, 40).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			d := newDock(rt, dir)
			d.start()
			if err := d.ship.Open(t.Context(), "c", d.path, Destination{Group: "g", Stream: "s", Begins: begins}); err != nil {
				rt.Fatal(err)
			}
			away, lost := false, 0
			d.cloud.fault = func(op string) (error, error) {
				if away {
					return errors.New("connection refused"), nil
				}
				if lost > 0 && op == "PutLogEvents" {
					lost--
					return nil, errors.New("connection reset")
				}
				return nil, nil
			}
			var want []string
			for i, step := range steps {
				d.cloud.mu.Lock()
				switch step {
				case 0:
					away = !away
				case 1:
					lost++
				case 2, 3: // killed: what is not on the disk is forgotten, and nothing is sent at the end
					before := away
					away = true
					d.cloud.mu.Unlock()
					saved, err := os.ReadFile(filepath.Join(d.dir, "c.json"))
					if err != nil {
						rt.Fatal(err)
					}
					d.end()
					if err := os.WriteFile(filepath.Join(d.dir, "c.json"), saved, 0o600); err != nil {
						rt.Fatal(err)
					}
					d.cloud.mu.Lock()
					away = before
					d.start()
				}
				d.cloud.mu.Unlock()
				for k := range step {
					line := fmt.Sprintf("%d line %d", k, i)
					want = append(want, line)
					d.write([]string{Stdout, Stderr}[k%2], line+"\n")
				}
				time.Sleep(time.Duration(step) * 700 * time.Millisecond)
			}
			d.cloud.mu.Lock()
			away, lost = false, 0
			d.cloud.mu.Unlock()
			time.Sleep(2 * time.Minute)
			d.end()
			got := strings.Split(strings.Join(d.cloud.lines("g", "s"), "\n"), "\n")
			if len(want) > 0 && !slices.Equal(got, want) {
				rt.Fatalf("sent %q, want %q", got, want)
			}
		})
	})
}

// Lines that do not match belong to the one before; what takes long to go on is sent as it is (SEMANTICS §13.7) [D].
func TestShipBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, t.TempDir())
		d.start()
		defer d.end()
		o, err := ReadDestination(map[string]string{"awslogs-group": "g", "awslogs-stream": "s", "awslogs-datetime-format": "%Y-%m-%d %H:%M:%S"}, "web", "1", "1-web")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.ship.Open(t.Context(), "c", d.path, o); err != nil {
			t.Fatal(err)
		}
		d.write(Stdout, "2026-05-01 10:00:00 panic\n  at a\n  at b\n2026-05-01 10:00:01 fine\n")
		time.Sleep(3 * time.Second)
		d.want(t, "2026-05-01 10:00:00 panic\n  at a\n  at b")
		time.Sleep(8 * time.Second)
		d.want(t, "2026-05-01 10:00:00 panic\n  at a\n  at b", "2026-05-01 10:00:01 fine")
	})
}

// Much at once goes out in calls that AWS takes, and a line longer than an event is cut.
func TestShipMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDock(t, t.TempDir())
		d.start()
		defer d.end()
		if err := d.ship.Open(t.Context(), "c", d.path, Destination{Group: "g", Stream: "s"}); err != nil {
			t.Fatal(err)
		}
		d.write(Stdout, strings.Repeat("x\n", 25_000))
		for range 40 {
			d.write(Stdout, strings.Repeat("y", MaxLine))
		}
		d.write(Stdout, "\n")
		time.Sleep(10 * time.Second)
		lines := d.cloud.lines("g", "s")
		long := lines[25_000:]
		if len(long) < 3 || len(strings.Join(long, "")) != 40*MaxLine || len(long[0]) > maxEvent {
			t.Errorf("a long line became %d events, the first of %d bytes", len(long), len(long[0]))
		}
		if d.cloud.puts < 4 {
			t.Errorf("%d calls", d.cloud.puts)
		}
	})
}

func TestDestination(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    Destination
		err     string
	}{
		{map[string]string{"awslogs-group": "g", "awslogs-stream-prefix": "p"}, Destination{Group: "g", Stream: "p/web/1"}, ""}, // [D]
		{map[string]string{"awslogs-group": "g"}, Destination{Group: "g", Stream: "1-web"}, ""},                                 // [D] the container's id
		{map[string]string{"awslogs-group": "g", "awslogs-create-group": "true", "awslogs-multiline-pattern": "^a"}, Destination{Group: "g", Stream: "1-web", CreateGroup: true, Begins: "^a"}, ""},
		{map[string]string{"awslogs-group": "g", "awslogs-multiline-pattern": "("}, Destination{}, "could not parse multiline pattern"},
		{map[string]string{"awslogs-group": "g", "awslogs-endpoint": "http://x"}, Destination{}, "awslogs-endpoint"},
		{map[string]string{"awslogs-group": "g", "awslogs-format": "json/emf"}, Destination{}, "awslogs-format"},
		{map[string]string{"awslogs-group": "g", "awslogs-stream": "mine", "awslogs-create-stream": "false"}, Destination{Group: "g", Stream: "mine", StreamThere: true}, ""},
	} {
		got, err := ReadDestination(c.options, "web", "1", "1-web")
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: %v", c.options, err)
			}
		} else if got != c.want || err != nil {
			t.Errorf("%v: %+v %v", c.options, got, err)
		}
	}
}
