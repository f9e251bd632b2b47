package auth

import (
	"context"

	"github.com/roadstead/roadstead/model"
)

// Principal is the verified sender of a request.
type Principal struct {
	Account     string
	Region      string // of the credential scope: the Region that the client believes it talks to
	Service     string // of the credential scope: "ecs", "ecr", "sts"...
	ARN         string // as GetCallerIdentity shows it
	UserID      string // as GetCallerIdentity shows it
	AccessKeyID string
	Kind        string // model.KeyRoot, KeyNode or KeyUser; KindRole or KindFederated of sessions
	// Session is what temporary credentials say of themselves; nil for other access keys.
	Session *Session
	Token   string // of the session
}

// Scope is the account and Region that the principal's rows live in.
func (p Principal) Scope() model.Scope { return model.Scope{Account: p.Account, Region: p.Region} }

// Of is the ARN of the role or user that a session is of, "" for others.
func (p Principal) Of() string {
	if p.Session == nil {
		return ""
	}
	return p.Session.Of
}

// NewPrincipal describes the owner of a key, speaking to a service in a Region.
func NewPrincipal(k model.AccessKey, region, service string) Principal {
	p := Principal{
		Account: k.Account, Region: region, Service: service,
		ARN: k.PrincipalARN(), UserID: k.Account, AccessKeyID: k.ID, Kind: k.Kind,
	}
	switch k.Kind {
	case model.KeyUser:
		p.UserID = k.UserID
	case model.KeyNode:
		// AWS shows ROLEID:SESSION for an assumed role. Ours has no row, hence no id: its name stands for it.
		p.UserID = "roadstead-" + k.Kind + ":" + k.ID
	}
	return p
}

type principalKey struct{}

// WithPrincipal returns a context that carries the verified sender.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the verified sender; ok is false if the request was not verified.
func PrincipalFrom(ctx context.Context) (p Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(Principal)
	return p, ok
}
