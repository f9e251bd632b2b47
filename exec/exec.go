package exec

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Nodes tells agents about sessions. Its errors say of Open and Attach why the node refuses; Away tells those apart that say that the
// agent is not connected.
type Nodes struct {
	Open   func(ctx context.Context, t *model.Task, m acs.RoadsteadOpenExec) error
	Attach func(ctx context.Context, t *model.Task, session string) error
	End    func(ctx context.Context, t *model.Task, session string) error
	Away   func(err error) bool
}

// Config is what Exec is made of; all is required.
type Config struct {
	DB    *state.DB
	Nodes Nodes
	Key   []byte        // with which tokens are signed: all members have the same
	NewID func() string // 32 hex digits
	Now   func() time.Time
	Log   *slog.Logger
}

// Exec opens and carries sessions on the member that leads.
type Exec struct {
	cfg     Config
	jobs    chan func(context.Context)
	closing chan struct{} // closed when Run ends

	mu     sync.Mutex
	relays map[string]*relay // by session
}

// New returns an Exec that carries nothing.
func New(cfg Config) *Exec {
	return &Exec{cfg: cfg, jobs: make(chan func(context.Context)), closing: make(chan struct{}), relays: map[string]*relay{}}
}

// Run carries sessions until ctx ends.
func (e *Exec) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(e.closing)
	for {
		select {
		case job := <-e.jobs:
			wg.Go(func() { job(ctx) })
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// do has Run take a websocket over from its request.
func (e *Exec) do(ctx context.Context, ws *websocket.Conn, job func(context.Context)) {
	select {
	case e.jobs <- job:
	case <-e.closing:
		_ = ws.CloseNow()
	case <-ctx.Done():
		_ = ws.CloseNow()
	}
}

// Request asks for a session.
type Request struct {
	Task      *model.Task
	Container string // "" if the task has only one
	Command   string // of the API: words are split as a shell does
	Args      []string
	Port      *acs.ExecPort // not nil: a session without a command, which carries connections
	Terminal  bool
	Plain     bool   // for our own client, see acs.RoadsteadOpenExec
	Principal string // ARN
}

// Session is one that a client may come to.
type Session struct {
	ID        string
	Token     string
	Container *model.Container
}

// Refusals, in AWS's words [O] (SEMANTICS §2.5) but for those that name no other tag.
func errNotEnabled() error {
	return model.Errorf("InvalidParameterException", "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.")
}

func errNotConnected() error {
	return model.Errorf("TargetNotConnectedException", "The execute command failed due to an internal error. Try again later.")
}

// Words splits a command as Open does, and says why it cannot.
func Words(command string) ([]string, error) { return words(command) }

// Open makes a session on the task's node. It begins when its client comes to StreamURL with the token.
func (e *Exec) Open(ctx context.Context, r Request) (Session, error) {
	args := r.Args
	if r.Command != "" {
		var err error
		if args, err = words(r.Command); err != nil {
			return Session{}, model.Errorf("InvalidParameterException", "The command cannot be split into words: %s.", err) // [I]
		}
	}
	if len(args) == 0 && r.Port == nil {
		return Session{}, model.Errorf("InvalidParameterException", "Command can not be blank.") // [I]
	}
	c, err := container(r.Task, r.Container)
	if err != nil {
		return Session{}, err
	}
	id := sessionID(r.Task.ID, e.cfg.NewID())
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	err = e.cfg.Nodes.Open(ctx, r.Task, acs.RoadsteadOpenExec{
		SessionID: id, Container: c.Name, Command: args, Terminal: r.Terminal, Plain: r.Plain, Port: r.Port, Principal: r.Principal,
		Log: e.logOf(r.Task, c.Name), KMSKey: e.keyOf(r.Task),
		Target: model.SessionTarget{Cluster: r.Task.Cluster, Task: r.Task.ID, Runtime: c.RuntimeID}.String(),
	})
	if err != nil {
		e.cfg.Log.Warn("open a session", "task", r.Task.ID, "container", c.Name, "err", err)
		return Session{}, errNotConnected()
	}
	if err := e.opened(ctx, r, c, id, args); err != nil {
		return Session{}, err
	}
	return Session{ID: id, Token: e.token(id, r.Task), Container: c}, nil
}

// logOf is where the transcript of a session in a container of the task is to be.
func (e *Exec) logOf(t *model.Task, container string) *acs.ExecLog {
	tables := e.cfg.DB.Snapshot().Tables
	row, ok := tables.Definition(t.Scope, t.Definition)
	if !ok {
		return nil
	}
	def, err := definition.Effective(row, t)
	if err != nil {
		return nil // the task could not run
	}
	return definition.ExecLog(clusterOf(tables, t).ExecConfiguration(), def, container)
}

// clusterOf is the task's cluster, nil if it is gone.
func clusterOf(tables *state.Tables, t *model.Task) *model.Cluster {
	c, _ := tables.Clusters.Get(model.ClusterKey(t.Scope, t.Cluster))
	return c
}

// keyOf is the key of KMS with which sessions in the task are encrypted, "" if they are not.
func (e *Exec) keyOf(t *model.Task) string {
	if key := clusterOf(e.cfg.DB.Snapshot().Tables, t).ExecConfiguration().KmsKeyId; key != nil {
		return *key
	}
	return ""
}

// openPatience bounds the wait for a node's answer.
const openPatience = 10 * time.Second

// container is the one that the request means, if a command can run in it.
func container(t *model.Task, name string) (*model.Container, error) {
	if t.Last == model.TaskStopped || t.Desired == model.TaskStopped {
		return nil, model.Errorf("InvalidParameterException", "The specified task is not in a running state. Wait for the task to be running, or run a new task with execute command enabled and try again.") // [I]
	}
	if !t.ExecEnabled {
		return nil, errNotEnabled()
	}
	if name == "" {
		if len(t.Containers) != 1 {
			return nil, model.Errorf("InvalidParameterException", "The task has multiple containers. Specify the container name and try again.") // [I]; the rule is [D]
		}
		name = t.Containers[0].Name
	}
	for i := range t.Containers {
		c := &t.Containers[i]
		if c.Name != name {
			continue
		}
		if c.Status != model.TaskRunning {
			return nil, errNotEnabled() // its agent, if it had one, would not run
		}
		return c, nil
	}
	return nil, model.Errorf("InvalidParameterException", "The container name %s was not found in the task. Specify a valid container name and try again.", name) // [I]
}

// Resume lets the client of a session come back. ok is false if there is no such session in the account.
func (e *Exec) Resume(s model.Scope, id string) (session Session, ok bool) {
	t := e.taskOf(s, id)
	if t == nil {
		return Session{}, false
	}
	return Session{ID: id, Token: e.token(id, t)}, true
}

// Terminate ends a session; ending one that is over succeeds.
func (e *Exec) Terminate(ctx context.Context, s model.Scope, id string) error {
	t := e.taskOf(s, id)
	if t == nil {
		return nil
	}
	if err := e.cfg.Nodes.End(ctx, t, id); err != nil && !e.cfg.Nodes.Away(err) {
		return err
	}
	return nil
}

// taskOf is the task that a session's id names, nil if it is not in the scope or over.
func (e *Exec) taskOf(s model.Scope, id string) *model.Task {
	name, ok := taskID(id)
	if !ok {
		return nil
	}
	for t := range e.cfg.DB.Snapshot().Tasks.Prefix(s.Key("")) {
		if t.ID == name && t.Last != model.TaskStopped {
			return t
		}
	}
	return nil
}

func (e *Exec) token(session string, t *model.Task) string {
	return sign(e.cfg.Key, claim{Session: session, Task: t.Key(), Until: e.cfg.Now().Add(tokenLife).UnixMilli()})
}

const sessionPrefix = "ecs-execute-command-"

// sessionID names a session. Its task is in its name: a member that leads since a moment must find it.
func sessionID(task, random string) string { return sessionPrefix + task + "-" + random[:16] }

// taskID is the id of the task that a session belongs to.
func taskID(session string) (string, bool) {
	rest, ok := strings.CutPrefix(session, sessionPrefix)
	task, random, cut := strings.Cut(rest, "-")
	return task, ok && cut && task != "" && random != ""
}

// ClientPath is where clients come to; below it is the session's id.
const ClientPath = "/v1/data-channel/"

// StreamURL is where the client of a session opens its websocket, base being the URL at which it reaches the control plane.
func StreamURL(base, session string) string {
	return "ws" + strings.TrimPrefix(base, "http") + ClientPath + session + "?role=publish_subscribe"
}
