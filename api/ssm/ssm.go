package ssm

import (
	"context"
	"errors"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config is what the API works with.
type Config struct {
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
	wire.Handle(m, "ResumeSession", a.resumeSession)
	wire.Handle(m, "TerminateSession", a.terminateSession)
	return m
}

var errNoPrincipal = errors.New("call without a verified principal")

// resumeSession answers without a token when the session is over: the plugin then says that it timed out, and ends well [run].
func (a *api) resumeSession(ctx context.Context, in *sdk.ResumeSessionInput) (*sdk.ResumeSessionOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	out := &sdk.ResumeSessionOutput{SessionId: in.SessionId}
	if url, token, ok := a.Resume(ctx, p.Scope(), *in.SessionId); ok {
		out.StreamUrl, out.TokenValue = &url, &token
	}
	return out, nil
}

func (a *api) terminateSession(ctx context.Context, in *sdk.TerminateSessionInput) (*sdk.TerminateSessionOutput, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return nil, errNoPrincipal
	}
	if err := a.Terminate(ctx, p.Scope(), *in.SessionId); err != nil {
		return nil, err
	}
	return &sdk.TerminateSessionOutput{SessionId: in.SessionId}, nil
}
