package ssm

import (
	"context"
	"errors"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config is what the API works with.
type Config struct {
	// Start opens a session at a target; its errors are shown to the caller.
	Start func(ctx context.Context, s model.Scope, r SessionRequest) (Session, error)
	// Connected says whether a session could be opened there.
	Connected func(s model.Scope, t Target) bool
	// Resume lets the client of a session come back: where to, and with what token. ok is false if there is no such session.
	Resume func(ctx context.Context, s model.Scope, session string) (streamURL, token string, ok bool)
	// Terminate ends a session; ending one that is over, or never was, succeeds.
	Terminate func(ctx context.Context, s model.Scope, session string) error

	// DB keeps the parameters, and Seal what is secure of them.
	DB   *state.DB
	Seal *seal.Sealer
	Now  func() time.Time // nil means time.Now
}

type api struct{ Config }

// New returns the handlers of the service; the other operations answer UnsupportedFeatureException.
func New(cfg Config) *wire.Mux {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &api{cfg}
	m := wire.NewMux(wire.SSM())
	a.serveParameters(m)
	a.serveSessions(m)
	return m
}

var errNoPrincipal = errors.New("call without a verified principal")
