package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Config says what an Engine works with. Dir, Runtime, Network and Report are required.
type Config struct {
	// Dir is the engine's own directory: tasks/ (assignments, mode 0600: they hold environment variables), volumes/
	// (anonymous volumes) and logs/ (of containers), both by task and removed with it.
	Dir     string
	Runtime Runtime
	Network Network
	// Volumes are those that are more than a directory; nil: the node has none of them.
	Volumes Volumes
	// Report tells the control plane; nil means that it has accepted all of them for good. It is called from one
	// goroutine, with at most about 100 tasks at a time, again and again until it succeeds.
	Report func(context.Context, []Report) error
	// Decorate, if not nil, may change what a container is created with: metadata and credentials endpoints, the log's
	// path, more mounts. It is called at the same time for different containers and must not change what the
	// assignment's slices point to.
	Decorate func(*ContainerSpec)
	// CleanupAfter is how long stopped containers are kept after the task stopped: 0 means 3 h, negative not at all.
	CleanupAfter time.Duration
	StopTimeout  time.Duration // of containers that name none; 0 means 30 s
	Log          *slog.Logger  // nil means slog.Default()
	// Reached, if not nil, is told where the engine is: "accept.saved", "save.saved", "report.accepted", and "VERB.begin" and
	// "VERB.end" for each Verb. Tests kill the process there.
	Reached func(point string)
}

// Defaults of the original agent (SEMANTICS §11.3, AGENT-PROTOCOL §4.5).
const (
	defaultCleanup     = 3 * time.Hour
	defaultStopTimeout = 30 * time.Second
	resyncEvery        = 5 * time.Minute
	// rememberGone is how long the id of a task that is over is kept, so that a late repeat does not run it again.
	rememberGone = time.Hour
)

// Engine runs the tasks of a node: it remembers assignments, owns one runner per task and reports what happened. Make
// one with New, start it with Run; the other methods may be called from any goroutine.
type Engine struct {
	config  Config
	reports *reporter
	ready   chan struct{} // closed by Run when the past is loaded
	ended   chan struct{} // closed by Run when it returns
	token   chan struct{} // held by the one Accept that is under way
	wake    chan struct{} // tells Run that starts is not empty
	health  chan struct{} // see HealthChanged

	fault func(op string) error // tests: see journal.fault

	// written by Run before ready closes, immutable then
	mach *machine
	done <-chan struct{} // closes when Run is to end

	mu         sync.Mutex
	tasks      map[string]*runner // by task id
	containers map[string]owner   // by container id
	gone       map[string]time.Time
	pruneAt    int             // gone is searched for what is no longer late when it is longer
	orphans    map[string]bool // task ids of which unknown containers or sandboxes are still there
	starts     []*runner       // registered, not yet running
}

// owner is the task and name that a container id stands for.
type owner struct {
	runner *runner
	name   string
}

// New makes an engine. It does nothing until Run.
func New(c Config) *Engine {
	c.StopTimeout = cmp.Or(c.StopTimeout, defaultStopTimeout)
	c.CleanupAfter = cmp.Or(c.CleanupAfter, defaultCleanup)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Reached == nil {
		c.Reached = func(string) {}
	}
	return &Engine{
		config: c, reports: newReporter(c.Report, c.Log),
		ready: make(chan struct{}), ended: make(chan struct{}),
		token: make(chan struct{}, 1), wake: make(chan struct{}, 1), health: make(chan struct{}, 1),
		tasks: map[string]*runner{}, containers: map[string]owner{}, gone: map[string]time.Time{},
		orphans: map[string]bool{},
	}
}

// Run loads the assignments, adopts what runs on the node, and works until ctx ends; then it returns nil, leaving
// every container as it is. It fails if the assignments cannot be read. Call it once.
func (e *Engine) Run(ctx context.Context) error {
	defer close(e.ended)
	j, err := openJournal(filepath.Join(e.config.Dir, tasksDir), e.fault)
	if err != nil {
		return fmt.Errorf("load tasks: %w", err)
	}
	defer func() {
		_ = j.close() // everything in it was synced by put
	}()
	ctx, cancel := context.WithCancel(ctx)
	var children sync.WaitGroup
	defer children.Wait()
	defer cancel()

	e.done = ctx.Done()
	e.mach = &machine{
		reached: e.config.Reached,
		runtime: e.config.Runtime, network: e.config.Network, journal: j, reports: e.reports, log: e.config.Log,
		look: make(chan struct{}, 1), health: e.health, volumes: e.config.Volumes,
		specs: specs{dir: e.config.Dir, more: e.config.Volumes, decorate: e.config.Decorate},
	}
	events := e.config.Runtime.Events(ctx) // before the first List, so that no exit falls between them
	left, err := e.adopt(ctx)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	close(e.ready)
	children.Go(func() { e.reports.run(ctx) })
	children.Go(func() { e.watch(ctx, events) })
	children.Go(func() { e.sweep(ctx, left) })
	for {
		for _, r := range e.takeStarts() {
			children.Go(func() {
				if r.run(ctx) {
					e.forget(ctx, r)
				}
			})
		}
		select {
		case <-e.wake:
		case <-ctx.Done():
			e.token <- struct{}{} // for ever: the last Accept has left the journal, and none comes after it
			return nil
		}
	}
}

// Accept takes tasks from a payload. When it returns nil they are on disk and will be run (or stopped) even if the
// agent or the node crashes, so the payload may be acknowledged. All or none are taken. Taking a task again changes
// nothing, except that DesiredStatus STOPPED wins for ever and credentials are refreshed; STOPPED for an unknown
// task is remembered and reported as STOPPED. It waits until Run has loaded the past. Source: AGENT-PROTOCOL §1.2.
func (e *Engine) Accept(ctx context.Context, tasks []acs.Task) error {
	select {
	case <-e.ready:
	case <-e.ended:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case e.token <- struct{}{}:
		defer func() { <-e.token }()
	case <-e.done:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	p, err := e.plan(tasks)
	if err != nil {
		return err
	}
	if len(p.entries) > 0 {
		if err := e.mach.journal.put(ctx, p.entries...); err != nil {
			return fmt.Errorf("save %d tasks: %w", len(p.entries), err)
		}
		e.mach.reached("accept.saved")
	}
	e.register(p.runners)
	for _, m := range p.messages {
		m.to.tell(e.done, m.note)
	}
	for _, arn := range p.over {
		e.reports.offer(Report{TaskArn: arn, Status: StatusStopped}, nil)
	}
	return nil
}

// plan is what accepting a payload means: what to write, whom to start, whom to tell.
type plan struct {
	entries  []entry
	runners  []*runner
	messages []message
	over     []string // ARNs of tasks that ended long ago: say so again
}

type message struct {
	to   *runner
	note note
}

// plan sorts out a payload; stops go first (AGENT-PROTOCOL §1.2).
func (e *Engine) plan(tasks []acs.Task) (*plan, error) {
	sorted := slices.Clone(tasks)
	slices.SortStableFunc(sorted, func(a, b acs.Task) int { return cmp.Compare(rank(&a), rank(&b)) })
	e.mu.Lock()
	defer e.mu.Unlock()
	p, fresh := &plan{}, map[string]bool{}
	for i := range sorted {
		t := &sorted[i]
		id, stop := ID(t.Arn), t.DesiredStatus == StatusStopped
		r, known := e.tasks[id]
		_, over := e.gone[id]
		switch {
		case id == "" || !stop && t.DesiredStatus != StatusRunning:
			return nil, fmt.Errorf("task %q wants to be %q", t.Arn, t.DesiredStatus)
		case e.orphans[id]:
			return nil, fmt.Errorf("task %s: what an earlier life left is still being removed", id)
		case over:
			p.over = append(p.over, t.Arn)
		case fresh[id]: // twice in one payload: the stop came first and wins
		case known && stop:
			p.entries = append(p.entries, entry{ID: id, Stop: true})
			p.messages = append(p.messages, message{r, func(r *runner) { r.desired.Stop = true }})
		case known:
			p.messages = append(p.messages, refresh(r, t)...)
		default:
			fresh[id] = true
			p.entries = append(p.entries, entry{ID: id, Task: t, Stop: stop})
			p.runners = append(p.runners, newRunner(e.mach, e.desired(t, stop), NewState(t)))
		}
	}
	return p, nil
}

func rank(t *acs.Task) int {
	if t.DesiredStatus == StatusStopped {
		return 0
	}
	return 1
}

// refresh hands newer credentials to a task that runs already.
func refresh(r *runner, t *acs.Task) []message {
	if t.RoleCredentials == nil && t.ExecutionRole == nil {
		return nil
	}
	return []message{{r, func(r *runner) {
		c := *r.desired.Task
		c.RoleCredentials = cmp.Or(t.RoleCredentials, c.RoleCredentials)
		c.ExecutionRole = cmp.Or(t.ExecutionRole, c.ExecutionRole)
		r.desired.Task = &c
	}}}
}

func (e *Engine) desired(t *acs.Task, stop bool) Desired {
	return Desired{
		Task: t, Stop: stop, StopTimeout: e.config.StopTimeout, CleanupAfter: max(e.config.CleanupAfter, 0),
	}
}

// register makes the runners known and has Run start them.
func (e *Engine) register(runners []*runner) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range runners {
		e.tasks[r.id] = r
		for i := range r.desired.Task.Containers {
			name := r.desired.Task.Containers[i].Name
			e.containers[ContainerID(r.id, name)] = owner{r, name}
		}
	}
	e.starts = append(e.starts, runners...)
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) takeStarts() []*runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	starts := e.starts
	e.starts = nil
	return starts
}

// forget ends the memory of a task that is over, except for its id.
func (e *Engine) forget(ctx context.Context, r *runner) {
	until := time.Now().Add(rememberGone)
	err := retry(ctx, e.config.Log, "forget task "+r.id, func() error {
		return errors.Join(e.discard(ctx, r.id), e.mach.journal.put(ctx, entry{ID: r.id, Gone: until}))
	})
	if err != nil {
		return // the next start finds it cleaned up and comes here again
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.tasks, r.id)
	for i := range r.desired.Task.Containers {
		delete(e.containers, ContainerID(r.id, r.desired.Task.Containers[i].Name))
	}
	e.gone[r.id] = until
	if len(e.gone) > e.pruneAt {
		now := time.Now()
		maps.DeleteFunc(e.gone, func(_ string, at time.Time) bool { return now.After(at) })
		e.pruneAt = 2*len(e.gone) + 1000
	}
}

// discard removes what a task has on the node's disks.
func (e *Engine) discard(ctx context.Context, taskID string) error {
	err := e.mach.specs.discard(taskID)
	if v := e.config.Volumes; v != nil {
		err = errors.Join(err, v.Remove(ctx, taskID))
	}
	return err
}

// retry calls f until it succeeds or ctx ends, with a growing pause.
func retry(ctx context.Context, log *slog.Logger, what string, f func() error) error {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := f()
		if err == nil || ctx.Err() != nil {
			return cmp.Or(ctx.Err(), err)
		}
		log.Warn(what, "error", err)
		if !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}
