package exec_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/exec"
	"github.com/roadstead/roadstead/datachannel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a node's Sessions, and the processes that they started.
type site struct {
	t        *testing.T
	sessions *exec.Sessions
	refuse   error // of starts
	dir      string
	archive  *archive
	noRole   error
	stop     func() // ends the sessions

	mu        sync.Mutex
	processes []*process
}

// bubble runs a test on a site in fake time. At its end nothing must be left.
func bubble(t *testing.T, f func(t *testing.T, s *site)) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, dir: t.TempDir(), archive: newArchive()}
		s.restart()
		f(t, s)
		s.stop()
		for i, p := range s.processes {
			if !p.closed {
				t.Errorf("process %d was not removed", i)
			}
		}
	})
}

// restart begins anew with what is in the directory.
func (s *site) restart() {
	if s.stop != nil {
		s.stop()
	}
	s.sessions = exec.New(exec.Config{
		Start: s.start, NewID: ids(), Dir: s.dir, Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)),
		Role: func(context.Context, string) (exec.Caller, error) { return s.archive, s.noRole },
	})
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.sessions.Run(ctx) }()
	s.stop = func() { cancel(); <-ended }
}

// again is another agent, which begins with what is in the directory, and puts away there.
func (s *site) again(dir string, to *archive) *site {
	next := &site{t: s.t, dir: dir, archive: to}
	next.restart()
	s.t.Cleanup(next.stop)
	return next
}

func ids() func() datachannel.ID {
	var mu sync.Mutex
	n := uint64(0)
	return func() (id datachannel.ID) {
		mu.Lock()
		defer mu.Unlock()
		n++
		binary.BigEndian.PutUint64(id[8:], n)
		return id
	}
}

func (s *site) start(_ context.Context, c exec.Command) (exec.Process, error) {
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &process{command: c, ended: make(chan struct{}), sizes: []datachannel.WindowSize{c.Size}}
	p.inR, p.inW = io.Pipe()
	p.outR, p.outW = io.Pipe()
	p.errR, p.errW = io.Pipe()
	s.processes = append(s.processes, p)
	return p, nil
}

// process is the i-th that was started.
func (s *site) process(i int) *process {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.processes) <= i {
		s.t.Fatalf("%d processes were started", len(s.processes))
	}
	return s.processes[i]
}

// open opens a session.
func (s *site) open(id string, change ...func(*acs.RoadsteadOpenExec)) {
	s.t.Helper()
	m := acs.RoadsteadOpenExec{SessionID: id, TaskArn: "arn:task", Container: "app", Command: []string{"/bin/sh"}, Terminal: true, Principal: "arn:root"}
	for _, f := range change {
		f(&m)
	}
	if err := s.sessions.Open(&m); err != nil {
		s.t.Fatal(err)
	}
}

func plain(m *acs.RoadsteadOpenExec) { m.Plain, m.Terminal = true, false }

// record is the only record there is.
func (s *site) record() acs.RoadsteadExecEnded {
	s.t.Helper()
	synctest.Wait()
	all := s.sessions.Records()
	if len(all) != 1 {
		s.t.Fatalf("%d records: %+v", len(all), all)
	}
	return all[0]
}

// process is a fake command: the test is what it does.
type process struct {
	command    exec.Command
	inR        *io.PipeReader
	inW        *io.PipeWriter
	outR, errR *io.PipeReader
	outW, errW *io.PipeWriter
	once       sync.Once
	ended      chan struct{}
	code       int32
	killed     bool
	closed     bool
	sizes      []datachannel.WindowSize
}

// exit ends the process.
func (p *process) exit(code int32) {
	p.once.Do(func() {
		p.code = code
		p.outW.Close()
		p.errW.Close()
		p.inR.Close()
		close(p.ended)
	})
}

func (p *process) Write(b []byte) (int, error) { return p.inW.Write(b) }
func (p *process) Stdout() io.Reader           { return p.outR }

func (p *process) Stderr() io.Reader {
	if p.command.Terminal {
		return nil
	}
	return p.errR
}

func (p *process) CloseStdin(context.Context) error { return p.inW.Close() }

func (p *process) Resize(_ context.Context, cols, rows uint32) error {
	p.sizes = append(p.sizes, datachannel.WindowSize{Cols: cols, Rows: rows})
	return nil
}

func (p *process) Wait(ctx context.Context) (int32, error) {
	select {
	case <-p.ended:
		return p.code, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (p *process) Kill(context.Context) { p.killed = true; p.exit(137) }

func (p *process) Close(context.Context) error {
	p.closed = true
	p.exit(137)
	for _, c := range []io.Closer{p.outR, p.errR, p.inW} {
		c.Close()
	}
	return nil
}

// client is a scripted session-manager-plugin. As that one, it acknowledges nothing twice.
type client struct {
	t       *testing.T
	mu      sync.Mutex
	channel *datachannel.Channel // guarded by mu
	line    *line                // its present connection

	got      []byte // output
	asked    datachannel.Parameters
	makeKey  func(with string) (plain, blob []byte)
	cipher   *datachannel.Cipher
	sealed   []byte // output, as it came
	complete bool   // the handshake
	stderr   []byte
	code     *int
	closed   *datachannel.Closed
	mute     atomic.Bool // it neither takes nor acknowledges output
	seen     map[int64]bool
}

// line is a connection: frames both ways, with room for as many as sockets have.
type line struct {
	toNode, toClient chan []byte
	cut              chan struct{}
	once             sync.Once
}

var errCut = errors.New("the connection is cut")

func (l *line) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-l.toNode:
		return b, nil
	case <-l.cut:
		return nil, errCut
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *line) Write(ctx context.Context, b []byte) error {
	select {
	case l.toClient <- b:
		return nil
	case <-l.cut:
		return errCut
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *line) Close() { l.once.Do(func() { close(l.cut) }) }

// connect brings a client to the session, with a first connection or the next.
func (s *site) connect(id string, c *client) *client {
	s.t.Helper()
	if c == nil {
		c = &client{t: s.t, channel: datachannel.NewClient(ids()), seen: map[int64]bool{}}
	}
	s.attach(id, c)
	return c
}

// connectWith connects a client that is somehow different.
func (s *site) connectWith(id string, change func(*client)) *client {
	s.t.Helper()
	c := &client{t: s.t, channel: datachannel.NewClient(ids()), seen: map[int64]bool{}}
	change(c)
	s.attach(id, c)
	return c
}

func (s *site) attach(id string, c *client) {
	s.t.Helper()
	l := &line{toNode: make(chan []byte, 64), toClient: make(chan []byte, 64), cut: make(chan struct{})}
	again := c.line != nil
	c.line = l
	if err := s.sessions.Attach(id, func(context.Context) (exec.Conn, error) { return l, nil }); err != nil {
		s.t.Fatal(err)
	}
	if again {
		c.mu.Lock()
		frames := c.channel.Resume(time.Now())
		c.mu.Unlock()
		for _, f := range frames {
			c.put(f)
		}
	}
	go c.read(l)
	s.t.Cleanup(l.Close)
}

func (c *client) put(frame []byte) {
	select {
	case c.line.toNode <- frame:
	case <-c.line.cut:
	}
}

// read is the client's loop for one connection.
func (c *client) read(l *line) {
	for {
		var frame []byte
		select {
		case frame = <-l.toClient:
		case <-l.cut:
			return
		}
		m, err := datachannel.Decode(frame)
		if err != nil {
			c.t.Error(err)
			return
		}
		if m.Type == datachannel.ChannelClosed {
			c.closed = new(datachannel.Closed)
			if err := json.Unmarshal(m.Payload, c.closed); err != nil {
				c.t.Error(err)
			}
			l.Close()
			return
		}
		if c.mute.Load() && m.Type == datachannel.OutputStream {
			continue
		}
		var answers [][]byte
		c.mu.Lock()
		ack := c.channel.Receive(time.Now(), frame, func(p datachannel.Piece) bool { answers = append(answers, c.take(p)...); return true })
		if ack != nil && !c.seen[m.Sequence] {
			c.seen[m.Sequence] = true
			answers = append([][]byte{ack}, answers...)
		}
		c.mu.Unlock()
		for _, a := range answers {
			select {
			case l.toNode <- a:
			case <-l.cut:
				return
			}
		}
	}
}

func (c *client) take(p datachannel.Piece) [][]byte {
	if c.cipher != nil && datachannel.Sealed(p.Type) {
		plain, err := c.cipher.Open(p.Payload)
		if err != nil {
			c.t.Error(err)
		}
		c.sealed = append(c.sealed, p.Payload...)
		p.Payload = plain
	}
	switch p.Type {
	case datachannel.HandshakeRequest:
		var q datachannel.Request
		err := json.Unmarshal(p.Payload, &q)
		if err != nil {
			c.t.Error(err)
		}
		c.asked = q.RequestedClientActions[0].ActionParameters
		var blob []byte
		if with := q.EncryptWith(); with != "" {
			var plain []byte
			plain, blob = c.makeKey(with)
			if c.cipher, err = datachannel.NewClientCipher(plain); err != nil {
				c.t.Error(err)
			}
		}
		b, _ := json.Marshal(q.Agree("1.3.0.0", blob))
		return [][]byte{c.channel.Send(time.Now(), datachannel.HandshakeResponse, b)}
	case datachannel.ChallengeRequest:
		var q datachannel.Challenge
		_ = json.Unmarshal(p.Payload, &q)
		riddle, err := c.cipher.Open(q.Challenge)
		if err != nil {
			c.t.Error(err)
		}
		b, _ := json.Marshal(datachannel.Challenge{Challenge: c.cipher.Seal([datachannel.NonceSize]byte{1}, riddle)})
		return [][]byte{c.channel.Send(time.Now(), datachannel.ChallengeResponse, b)}
	case datachannel.HandshakeComplete:
		c.complete = true
	case datachannel.Output:
		c.got = append(c.got, p.Payload...)
	case datachannel.StdErr:
		c.stderr = append(c.stderr, p.Payload...)
	case datachannel.ExitCode:
		n, err := strconv.Atoi(string(p.Payload))
		if err != nil {
			c.t.Error(err)
		}
		c.code = &n
	}
	return nil
}

func (c *client) send(kind uint32, payload []byte) {
	synctest.Wait()
	c.mu.Lock()
	frame := c.channel.Send(time.Now(), kind, payload)
	c.mu.Unlock()
	c.put(frame)
}

// pour sends one byte a message, as many as the window allows at a time, until all are acknowledged.
func (c *client) pour(n int) {
	for sent, unacked := 0, 0; sent < n || unacked > 0; {
		var frame []byte
		c.mu.Lock()
		if sent < n && c.channel.Free() {
			frame = c.channel.Send(time.Now(), datachannel.Output, []byte{byte(sent)})
			sent++
		} else {
			frame = c.channel.Overdue(time.Now())
		}
		unacked = c.channel.Unacknowledged()
		c.mu.Unlock()
		if frame == nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c.put(frame)
	}
}

// shook says how far the handshake is.
func (c *client) shook() (unacknowledged int, complete bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channel.Unacknowledged(), c.complete
}

func (c *client) typed(text string) { c.send(datachannel.Output, []byte(text)) }

func (c *client) resize(cols, rows uint32) {
	b, _ := json.Marshal(datachannel.WindowSize{Cols: cols, Rows: rows})
	c.send(datachannel.Size, b)
}
