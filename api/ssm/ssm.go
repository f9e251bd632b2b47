package ssm

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
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
	// Known are the sessions of a scope that are under way, and those that are over and still on record.
	Known func(s model.Scope) []KnownSession
	// Terminate ends a session; ending one that is over, or never was, succeeds.
	Terminate func(ctx context.Context, s model.Scope, session string) error

	// DB keeps the parameters, and Seal what is secure of them.
	DB   *state.DB
	Seal keyring.Sealer
	// MayUse refuses what the caller may not do with a key of KMS: an operation of KMS with its input.
	MayUse func(ctx context.Context, t *state.Tables, operation string, in any) error
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // of keys; nil means crypto/rand
}

type api struct {
	Config
	keys keyring.Service
}

// New returns the handlers of the service; the other operations answer UnsupportedFeatureException.
func New(cfg Config) *wire.Mux {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	a := &api{cfg, keyring.Service{Ring: keyring.Ring{Seal: cfg.Seal, Random: cfg.Random}, Name: "ssm", May: cfg.MayUse}}
	m := wire.NewMux(wire.SSM())
	a.serveParameters(m)
	a.serveSessions(m)
	return m
}

var errNoPrincipal = errors.New("call without a verified principal")
