package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Config says what Sessions work with.
type Config struct {
	DB    *state.DB
	NewID func() string
	// RegistryAuth says how a node authenticates to an image's registry, nil for anonymously.
	RegistryAuth func(image string) *acs.RegistryAuth
	// Endpoint is where containers of stock agents, which do not tell them that themselves, reach this API; nil: they are not told.
	Endpoint func() string
	// Role issues credentials of a role for a task; nil: no task gets any. An error says that the role cannot be assumed.
	Role func(t *state.Tables, r Role) (acs.RoleCreds, error)
	// ExecEnded keeps the record of a session with a command in a container of the task; nil: nobody does. It may come twice.
	ExecEnded func(ctx context.Context, t *model.Task, m *acs.RoadsteadExecEnded) error
	Log       *slog.Logger
}

// AgentGrace is how long an instance counts as connected after its agent fell silent (SEMANTICS §8.9).
const AgentGrace = 60 * time.Second

// Sessions are the agents connected to this member while it leads.
type Sessions struct {
	cfg     Config
	began   time.Time     // New
	closing chan struct{} // closed when Run ends: no connection outlives it
	guests  chan visit    // agents that Run is to serve
	stacks  stacks
	moulds  *moulds
	notes   *notes
	usages  usages // what tasks use, as their nodes say

	mu       sync.Mutex
	sessions map[string]*session  // by instance key
	silent   map[string]time.Time // since when, by instance key
	changed  chan struct{}        // silent has a new entry
}

// New returns Sessions without any agent.
func New(cfg Config) *Sessions {
	closing := make(chan struct{})
	return &Sessions{
		cfg: cfg, began: time.Now(), closing: closing, guests: make(chan visit), stacks: stacks{jobs: make(chan func()), closing: closing}, moulds: newMoulds(), notes: newNotes(cfg.DB),
		sessions: map[string]*session{}, silent: map[string]time.Time{}, changed: make(chan struct{}, 1),
	}
}

// Run serves the agents, tells their sessions when tasks change, and marks instances disconnected whose agents stay away,
// until ctx ends. It runs once.
func (s *Sessions) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(s.closing)
	hosting, dismiss := context.WithCancel(ctx)
	defer dismiss()
	wg.Go(func() { s.watchSilent(ctx) })
	wg.Go(func() { s.host(hosting) })
	wg.Go(func() { s.notes.run(ctx) })
	_, cursor := s.cfg.DB.Watch()
	s.nudgeAll()
	for {
		r, err := cursor.Next(ctx)
		if err != nil {
			return err
		}
		s.usages.forget(r)
		if r.Reset {
			s.nudgeAll()
			continue
		}
		for i := range r.Changes {
			s.nudge(&r.Changes[i])
		}
	}
}

// beatGrid is how far apart the moments are at which heartbeats are sent: a machine that has little to do wakes once for all of a moment.
const beatGrid = 250 * time.Millisecond

// untilBeat is the time until the next heartbeat of a connection that was heard of now: the usual interval, or less by a part of the grid.
func (s *Sessions) untilBeat() time.Duration {
	return acs.HeartbeatInterval - time.Since(s.began)%beatGrid
}

// nudge tells the session that a change concerns where to look. What nodes report of their tasks concerns none.
func (s *Sessions) nudge(c *state.Change) {
	switch now := c.New.(type) {
	case *model.Task:
		if was, ok := c.Old.(*model.Task); ok && was.Desired == now.Desired && was.Instance == now.Instance {
			return
		}
		if now.Instance != "" && now.Last != model.TaskStopped {
			if x, ok := s.of(now.InstanceKey()); ok {
				x.todo.add(c.Key)
			}
		}
	case *model.Instance:
		if was, ok := c.Old.(*model.Instance); ok && was.Status == now.Status {
			return
		}
		s.signal(c.Key)
	case nil:
		if _, ok := c.Old.(*model.Instance); ok {
			s.signal(c.Key)
		}
	}
}

// signal has the session of the instance, if there is one, look at its row.
func (s *Sessions) signal(instance string) {
	if x, ok := s.of(instance); ok {
		x.todo.signal()
	}
}

func (s *Sessions) nudgeAll() {
	for _, x := range s.all() {
		x.todo.addAll()
	}
}

// enter makes x the session of its instance, ending the one before it.
func (s *Sessions) enter(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.sessions[x.key]; old != nil {
		old.dismiss()
	}
	s.sessions[x.key] = x
	delete(s.silent, x.key)
}

// leave ends x's turn; if no other session took its place, the instance is silent from now on.
func (s *Sessions) leave(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(x.ended)
	if s.sessions[x.key] == x {
		delete(s.sessions, x.key)
		s.hush(x.key)
	}
}

// hush starts the grace of an instance. Caller holds mu.
func (s *Sessions) hush(key string) {
	if _, ok := s.silent[key]; !ok {
		s.silent[key] = time.Now()
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
}

// of returns the session of the instance.
func (s *Sessions) of(key string) (*session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.sessions[key]
	return x, ok
}

// Connected is the number of agents connected to this member.
func (s *Sessions) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
