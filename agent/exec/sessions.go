package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/datachannel"
)

// Process is a command that runs in a container. Its output ends with io.EOF after its end; whoever does not read it, or writes more
// than the command reads, waits.
type Process interface {
	io.Writer
	Stdout() io.Reader
	Stderr() io.Reader // nil with a terminal
	CloseStdin(ctx context.Context) error
	Resize(ctx context.Context, cols, rows uint32) error
	Wait(ctx context.Context) (exitCode int32, err error)
	Kill(ctx context.Context) // with all that it has started
	Close(ctx context.Context) error
}

// Command is what to run, and where.
type Command struct {
	Session   string
	TaskArn   string
	Container string
	Args      []string
	Terminal  bool
	Size      datachannel.WindowSize // zero if it is not known
}

// Conn carries the frames of one connection of a client. Close makes Read and Write return.
type Conn interface {
	Read(ctx context.Context) ([]byte, error)
	Write(ctx context.Context, frame []byte) error
	Close()
}

// Target is what a connection goes to, seen from a container.
type Target struct {
	TaskArn   string
	Container string
	Host      string // a name or an address; "localhost" is the container itself
	Port      uint16
}

// Config is what Sessions are made of; all but Sync is required.
type Config struct {
	Start func(ctx context.Context, c Command) (Process, error)
	Dial  func(ctx context.Context, t Target) (net.Conn, error)
	Dir   string // has what is to outlive the agent: journals of sessions
	// Role is a caller with the rights of the task's own role. A *model.Error says that there will be none.
	Role  func(ctx context.Context, taskARN string) (Caller, error)
	NewID func() datachannel.ID
	Sync  func(*os.File) error // makes files and directories durable; nil means fsync
	Log   *slog.Logger
}

// maxSessions bounds the sessions of a node at one time.
const maxSessions = 1000

// Sessions are those of a node. What happened in one is kept as a record when it is over, until the control plane has noted it.
type Sessions struct {
	cfg    Config
	jobs   chan func(context.Context)
	closed chan struct{} // Run has ended
	// putting holds a token while a transcript is being put away.
	putting chan struct{}

	mu       sync.Mutex
	sessions map[string]*session
	records  []*journal    // oldest first
	news     chan struct{} // records has a new one; has room for one
}

// New returns Sessions without any.
func New(cfg Config) *Sessions {
	if cfg.Sync == nil {
		cfg.Sync = (*os.File).Sync
	}
	return &Sessions{
		cfg: cfg, jobs: make(chan func(context.Context)), closed: make(chan struct{}), putting: make(chan struct{}, 1), sessions: map[string]*session{}, news: make(chan struct{}, 1),
	}
}

// Run owns the sessions until ctx ends, and then ends them.
func (s *Sessions) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(s.closed)
	if err := s.recall(func(j *journal) { wg.Go(func() { s.settle(ctx, j) }) }); err != nil {
		s.cfg.Log.Error("recall the sessions of an earlier agent", "err", err)
	}
	for {
		select {
		case job := <-s.jobs:
			wg.Go(func() { job(ctx) })
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// do has Run's goroutines do something.
func (s *Sessions) do(job func(context.Context)) bool {
	select {
	case s.jobs <- job:
		return true
	case <-s.closed:
		return false
	}
}

// Open makes a session, which waits for its client. Opening it again changes nothing.
func (s *Sessions) Open(m *acs.RoadsteadOpenExec) error {
	if len(m.Command) == 0 && m.Port == nil {
		return errors.New("no command")
	}
	x, err := s.add(m)
	if x == nil || err != nil {
		return err
	}
	if !s.do(func(ctx context.Context) { s.serve(ctx, x) }) {
		s.remove(m.SessionID)
		return errors.Join(errEnded, x.journal.remove())
	}
	return nil
}

var (
	errEnded = errors.New("the agent is ending")
	errOver  = errors.New("the session is over")
)

// add returns nil if the session is there already.
func (s *Sessions) add(m *acs.RoadsteadOpenExec) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[m.SessionID] != nil {
		return nil, nil
	}
	if len(s.sessions) >= maxSessions {
		return nil, fmt.Errorf("the node has %d sessions", maxSessions)
	}
	j, err := newJournal(s.cfg.Dir, s.cfg.Log, s.cfg.Sync, m)
	if err != nil {
		return nil, err
	}
	x := newSession(&s.cfg, m, j)
	s.sessions[m.SessionID] = x
	return x, nil
}

func (s *Sessions) serve(ctx context.Context, x *session) {
	s.cfg.Log.Info("session opened", "session", x.open.SessionID, "task", x.open.TaskArn, "container", x.open.Container,
		"command", x.open.Command, "forward", forwards(x.open), "principal", x.open.Principal)
	record := x.run(ctx)
	s.remove(x.open.SessionID)
	s.cfg.Log.Info("session ended", "session", record.SessionID, "task", record.TaskArn, "reason", record.Reason,
		"in", record.BytesIn, "out", record.BytesOut)
	if err := x.journal.end(record); err != nil {
		s.cfg.Log.Error("write down the end of a session", "session", record.SessionID, "err", err)
	}
	s.settle(ctx, x.journal)
}

func (s *Sessions) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
}

func (s *Sessions) find(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// Attach gives a session the connection that dial opens, in place of the one that it has.
func (s *Sessions) Attach(id string, dial func(ctx context.Context) (Conn, error)) error {
	x := s.find(id)
	if x == nil {
		return errOver
	}
	ok := s.do(func(ctx context.Context) {
		conn, err := dial(ctx)
		if err != nil {
			s.cfg.Log.Warn("open the connection of a session", "session", id, "err", err)
			return
		}
		x.serveConn(ctx, conn)
	})
	if !ok {
		return errEnded
	}
	return nil
}

// End kills a session's command and ends it.
func (s *Sessions) End(id string) {
	if x := s.find(id); x != nil {
		x.stop(endTerminated)
	}
}

// ContainerStopped ends the sessions without a command in a container that has stopped. Those with one end as it does.
func (s *Sessions) ContainerStopped(taskARN, container string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		if x.open.Port != nil && x.open.TaskArn == taskARN && x.open.Container == container {
			x.stop(endContainer)
		}
	}
}

// Times of a session.
const (
	claimPatience  = 5 * time.Minute  // for its client to come at all
	resumePatience = time.Minute      // for a client that was cut off to come back
	idlePatience   = 20 * time.Minute // without a byte either way (SEMANTICS §13.8)
	sizePatience   = 2 * time.Second  // for the client to tell the size of its terminal
	ackPatience    = 10 * time.Second // for acks of the last output over a connection that is not the first
	goPatience     = 5 * time.Second  // for the client to go when the session is over
	startPatience  = 30 * time.Second

	// Before the handshake for a port is complete. That makes the plugin open the port, and whatever reaches it meanwhile, an ack too,
	// makes it deaf for good [run] [code]. So its answer is acknowledged well before.
	portPatience = 250 * time.Millisecond
	callPatience = 5 * time.Second
)
