package hooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Config says what hooks are performed with.
type Config struct {
	DB *state.DB
	// Transport sends the calls; nil is one of our own, that knows the proxies and certificates of the environment.
	Transport http.RoundTripper
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger
	// NewID returns 32 random hex digits, NewUUID a random UUID, and Seed what decides between equal places of a task.
	NewID, NewUUID func() string
	Seed           func() uint64
	// Subnet returns the availability zone of a subnet; nil: any subnet exists and is everywhere.
	Subnet func(s model.Scope, id string) (zone string, ok bool)
}

// Hooks performs the hooks of all deployments.
type Hooks struct {
	cfg    Config
	client *http.Client
}

// New returns hooks that nobody performs before Run.
func New(cfg Config) *Hooks {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &Hooks{cfg: cfg, client: &http.Client{
		Transport: cfg.Transport,
		// A redirection is an answer like any other that is no success: a URL is asked, not wherever it sends us.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// again is how long a hook waits that has no answer yet, and asks for nothing else [D]; and a task that has no room [I].
const again = 30 * time.Second

// perform does for a hook what is due now. It returns nil if there is nothing to do, or no hook any more.
func (h *Hooks) perform(ctx context.Context, at place) error {
	d, hook, ok := find(h.cfg.DB.Snapshot().Tables, at)
	if !ok {
		return nil
	}
	target := targetOf(d, hook)
	switch {
	case strings.HasPrefix(target, "https://"):
		next, err := h.call(ctx, d, *hook)
		if err != nil {
			return err
		}
		return h.write(ctx, at, func(*state.Tx, *model.Deployment, model.Hook) (model.Hook, error) { return next, nil })
	case isDefinition(target):
		return h.write(ctx, at, h.task)
	}
	return h.write(ctx, at, func(_ *state.Tx, _ *model.Deployment, hook model.Hook) (model.Hook, error) {
		return failed(hook, "Lifecycle hook target "+target+" cannot be called: Roadstead runs no Lambda functions. Use an https:// URL, or the ARN of a task definition, instead."), nil
	})
}

// place is where a hook is: the key of its deployment, and its id.
type place struct{ deployment, hook string }

// find returns a hook that is in progress.
func find(t *state.Tables, at place) (*model.Deployment, *model.Hook, bool) {
	d, ok := t.Deployments.Get(at.deployment)
	if !ok || d.Stage == nil {
		return nil, nil, false
	}
	for i := range d.Stage.Hooks {
		if h := &d.Stage.Hooks[i]; h.ID == at.hook && h.Status == model.HookInProgress {
			return d, h, true
		}
	}
	return nil, nil, false
}

// write changes a hook if it is still in progress: what is answered to one that has ended is of no interest.
func (h *Hooks) write(ctx context.Context, at place, change func(*state.Tx, *model.Deployment, model.Hook) (model.Hook, error)) error {
	return h.cfg.DB.Update(ctx, func(tx *state.Tx) error {
		d, hook, ok := find(tx.Tables, at)
		if !ok {
			return nil
		}
		next, err := change(tx, d, *hook)
		if err != nil || next == *hook {
			return err
		}
		row, _ := d.WithHook(next)
		row.UpdatedAt = h.now()
		tx.Deployments.Put(&row)
		return nil
	})
}

func (h *Hooks) now() model.Millis { return h.cfg.Now().UnixMilli() }

func failed(h model.Hook, reason string) model.Hook {
	h.Status, h.Reason = model.HookFailed, reason
	return h
}

func failedf(h model.Hook, format string, args ...any) model.Hook {
	return failed(h, fmt.Sprintf(format, args...))
}

func targetOf(d *model.Deployment, h *model.Hook) string {
	if target := d.HookSpec(h).HookTargetArn; target != nil {
		return *target
	}
	return ""
}

// lost reports whether an error means that another member leads.
func lost(err error) bool { return errors.Is(err, state.ErrNotLeader) }
