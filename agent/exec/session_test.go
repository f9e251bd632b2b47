package exec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/datachannel"
)

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// say writes output and waits until it has been taken.
func (p *process) say(t *testing.T, text string) {
	t.Helper()
	if _, err := p.outW.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// hear reads as much input as is wanted.
func (p *process) hear(t *testing.T, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(p.inR, b); err != nil || string(b) != text {
		t.Fatalf("the process reads %q, %v, want %q", b, err, text)
	}
}

// [run] AGENT-PROTOCOL §5.5-5.8: handshake, the size before the terminal, bytes both ways, a change of size, and the end, which
// tells nothing but the session's id.
func TestShell(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		c := s.connect("s1", nil)
		synctest.Wait()
		want(t, "processes before the size is known", len(s.processes), 0)
		c.resize(120, 40)
		p := s.process(0)
		want(t, "container", p.command.Container+" "+p.command.TaskArn+" "+strings.Join(p.command.Args, " "), "app arn:task /bin/sh")
		p.say(t, "# ")
		c.typed("ls\r")
		p.hear(t, "ls\r")
		c.typed("\x03")
		p.hear(t, "\x03")
		c.resize(80, 25)
		p.say(t, "bin etc\r\n")
		if !slices.Equal(p.sizes, []datachannel.WindowSize{{Cols: 120, Rows: 40}, {Cols: 80, Rows: 25}}) {
			t.Errorf("sizes %v", p.sizes)
		}
		p.exit(7)
		r := s.record()
		want(t, "output", string(c.got), "# bin etc\r\n")
		if c.closed == nil || c.closed.Output != "" || c.closed.SessionID != "s1" || c.code != nil {
			t.Errorf("the end is %+v, code %v", c.closed, c.code)
		}
		want(t, "exit code", *r.ExitCode, 7)
		want(t, "bytes", [2]int64{r.BytesIn, r.BytesOut}, [2]int64{4, 11})
		want(t, "who", r.Principal+" "+r.Reason, "arn:root the command has ended")
		if r.StartedAt == 0 || r.EndedAt < r.StartedAt {
			t.Errorf("from %d to %d", r.StartedAt, r.EndedAt)
		}
		s.sessions.Noted("s1")
		want(t, "records", len(s.sessions.Records()), 0)
		if err := s.sessions.Attach("s1", nil); err == nil {
			t.Error("a session that is over has a client")
		}
	})
}

// Our own client has its streams apart, can end its input, and is told the exit code.
func TestPlainCommand(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1", plain)
		c := s.connect("s1", nil)
		c.resize(0, 0)
		p := s.process(0)
		c.typed("input")
		c.typed("")
		b, err := io.ReadAll(p.inR)
		want(t, "input", string(b), "input")
		if err != nil {
			t.Error(err)
		}
		p.say(t, "out")
		if _, err := p.errW.Write([]byte("err")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		p.exit(3)
		synctest.Wait()
		want(t, "streams", string(c.got)+" "+string(c.stderr), "out err")
		if c.code == nil || *c.code != 3 || c.closed == nil {
			t.Errorf("exit code %v, end %+v", c.code, c.closed)
		}
	})
}

// A command that cannot start is told to the client, who would wonder else.
func TestCommandThatCannotStart(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.refuse = errors.New("no such file")
		s.open("s1")
		c := s.connect("s1", nil)
		c.resize(80, 25)
		r := s.record()
		if c.closed == nil || c.closed.Output != "no such file" || r.Reason != "no such file" || r.StartedAt != 0 || r.ExitCode != nil {
			t.Errorf("end %+v, record %+v", c.closed, r)
		}
	})
}

// Long output comes whole, and no faster than the client takes it: the command waits.
func TestOutputWaitsForTheClient(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		c := s.connect("s1", nil)
		c.resize(80, 25)
		p := s.process(0)
		long := bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16)
		c.mute.Store(true)
		var taken atomic.Int64
		go func() {
			for rest := long; len(rest) > 0; {
				n, err := p.outW.Write(rest[:min(1000, len(rest))])
				if err != nil {
					return
				}
				rest = rest[n:]
				taken.Add(int64(n))
			}
			p.exit(0)
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, most := taken.Load(), int64(datachannel.Window+2)*datachannel.MaxPayload; n == 0 || n > most {
			t.Errorf("%d bytes were taken from the command, want at most %d", n, most)
		}
		c.mute.Store(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if !bytes.Equal(c.got, long) || c.closed == nil {
			t.Errorf("%d of %d bytes came, end %+v", len(c.got), len(long), c.closed)
		}
	})
}

// Input that the command does not read is not lost either, and does not keep output from the client.
func TestInputWaitsForTheCommand(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		c := s.connect("s1", nil)
		c.resize(80, 25)
		p := s.process(0)
		const n = 1000
		poured := make(chan struct{})
		go func() { c.pour(n); close(poured) }()
		time.Sleep(time.Second)
		p.say(t, "output")
		time.Sleep(time.Second)
		synctest.Wait()
		want(t, "output", string(c.got), "output")
		b := make([]byte, n)
		if _, err := io.ReadFull(p.inR, b); err != nil {
			t.Fatal(err)
		}
		for i := range b {
			if b[i] != byte(i) {
				t.Fatalf("byte %d is %d", i, b[i])
			}
		}
		<-poured
		p.exit(0)
		synctest.Wait()
	})
}

// A client whose connection breaks comes back within a minute and misses nothing; what it had acknowledged does not come again.
func TestClientComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		c := s.connect("s1", nil)
		c.resize(80, 25)
		p := s.process(0)
		p.say(t, "one ")
		c.line.Close()
		p.say(t, "two ")
		time.Sleep(50 * time.Second)
		s.connect("s1", c)
		p.say(t, "three ")
		c.line.Close()
		p.say(t, "four")
		p.exit(0)
		time.Sleep(30 * time.Second)
		s.connect("s1", c)
		time.Sleep(time.Minute)
		synctest.Wait()
		want(t, "output", string(c.got), "one two three four")
		if c.closed == nil {
			t.Error("the client was not told of the end")
		}
		want(t, "reason", s.record().Reason, "the command has ended")
	})
}

// A newer connection takes the place of one that looks alive.
func TestNewerConnectionWins(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		c := s.connect("s1", nil)
		c.resize(80, 25)
		p := s.process(0)
		old := c.line
		s.connect("s1", c)
		p.say(t, "hello")
		want(t, "output", string(c.got), "hello")
		select {
		case <-old.cut:
		default:
			t.Error("the older connection is open still")
		}
		p.exit(0)
	})
}

// Nothing outlives its reason: each of these ends the session and kills its command.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		after  time.Duration
		told   bool
		do     func(s *site, c *client)
	}{
		"terminated":   {"the session was terminated", 0, true, func(s *site, _ *client) { s.sessions.End("s1") }},
		"by a flag":    {"the session was terminated", 0, true, func(_ *site, c *client) { c.send(datachannel.Flag, []byte{0, 0, 0, 2}) }},
		"idle":         {"nothing came for 20 minutes", 20 * time.Minute, true, func(*site, *client) {}},
		"disconnected": {"its client was cut off and did not come back", time.Minute, false, func(_ *site, c *client) { c.line.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.open("s1")
				client := s.connect("s1", nil)
				client.resize(80, 25)
				p := s.process(0)
				c.do(s, client)
				if c.after > 0 {
					time.Sleep(c.after - 2*time.Second)
					synctest.Wait()
					want(t, "records too early", len(s.sessions.Records()), 0)
					time.Sleep(4 * time.Second)
				}
				r := s.record()
				want(t, "reason", r.Reason, c.reason)
				want(t, "killed", p.killed, true)
				want(t, "told", client.closed != nil, c.told)
			})
		})
	}
}

// [I] Bytes either way keep a session alive.
func TestBusySessionIsNotIdle(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		c := s.connect("s1", nil)
		c.resize(80, 25)
		p := s.process(0)
		for i := range 6 {
			time.Sleep(15 * time.Minute)
			if i%2 == 0 {
				p.say(t, ".")
				continue
			}
			c.typed(".")
			p.hear(t, ".")
		}
		synctest.Wait()
		want(t, "records", len(s.sessions.Records()), 0)
		want(t, "killed", p.killed, false)
	})
}

// A session whose client never comes goes by itself, and so does one whose client never speaks.
func TestUnclaimed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		time.Sleep(5*time.Minute + time.Second)
		r := s.record()
		want(t, "reason", r.Reason, "its client never came")
		s.sessions.Noted("s1")
		s.open("s2")
		s.connect("s2", nil) // it agrees, but tells no size
		time.Sleep(3 * time.Second)
		p := s.process(0)
		want(t, "size", p.sizes[0], datachannel.WindowSize{})
	})
}

// The end of the agent ends every session and its command.
func TestAgentEnds(t *testing.T) {
	var left []*process
	var sessions []acs.RoadsteadExecEnded
	bubble(t, func(t *testing.T, s *site) {
		for _, id := range []string{"s1", "s2"} {
			s.open(id)
			s.connect(id, nil).resize(80, 25)
		}
		s.process(1)
		left = s.processes
		t.Cleanup(func() { sessions = s.sessions.Records() })
	})
	want(t, "processes", len(left), 2)
	want(t, "records", len(sessions), 2)
	for _, r := range sessions {
		want(t, "reason", r.Reason, "the agent has ended")
	}
}

// Two sessions have nothing to do with each other.
func TestTwoSessions(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("s1")
		s.open("s2")
		a, b := s.connect("s1", nil), s.connect("s2", nil)
		a.resize(80, 25)
		p := s.process(0)
		b.resize(80, 25)
		q := s.process(1)
		p.say(t, "one")
		q.say(t, "two")
		p.exit(0)
		synctest.Wait()
		want(t, "outputs", string(a.got)+" "+string(b.got), "one two")
		want(t, "second ended", b.closed != nil, false)
		q.exit(0)
	})
}

// [run] AGENT-PROTOCOL §5.5: a session of the kind Port. It waits for no size, and ends when it is told to.
func TestPort(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.open("p1", func(m *acs.RoadsteadOpenExec) {
			m.Command, m.Terminal, m.Port = nil, false, &acs.ExecPort{Host: "localhost", Port: 80, LocalPort: "8080"}
		})
		c := s.connect("p1", nil)
		synctest.Wait()
		if n, complete := c.shook(); n != 0 || complete {
			t.Errorf("%d messages are not acknowledged; the handshake is complete: %t", n, complete)
		}
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if _, complete := c.shook(); !complete {
			t.Error("the handshake is not complete")
		}
		b, _ := json.Marshal(c.asked)
		if want := `{"SessionType":"Port","Properties":{"localPortNumber":"8080","portNumber":"80","type":"LocalPortForwarding"}}`; string(b) != want {
			t.Errorf("the client is asked for %s", b)
		}
		s.sessions.End("p1")
		if r := s.record(); r.Forward != "localhost:80" || r.StartedAt == 0 || r.Command != nil {
			t.Errorf("record: %+v", r)
		}
	})
}
