// Package sts is the Security Token Service API: who am I, temporary credentials, and tokens that tell others who I am.
//
// It must not know how requests are decoded (wire) or verified (auth), nor who may assume a role (access has decided when a
// handler runs): it checks what is asked for, and describes the session that auth makes credentials of.
package sts

import (
	"context"
	"errors"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/oidc"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. DB and Sessions are required.
type Config struct {
	DB       *state.DB
	Sessions *auth.Sessions
	// AssumeWeb makes the session of a web identity, if the role trusts it; Tokens verifies who it is.
	AssumeWeb func(t *state.Tables, q *WebIdentity) (auth.Credentials, *auth.Session, error)
	Tokens    *oidc.Verifier
	// Seal opens the keys of issuers.
	Seal *seal.Sealer
	Now  func() time.Time // nil means time.Now
}

// api holds the handlers. It has no state of its own.
type api struct{ Config }

// New returns the handlers of the STS operations that are served; the others answer UnsupportedFeatureException.
func New(cfg Config) *wire.Mux {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &api{cfg}
	m := wire.NewMux(wire.STS())
	wire.Handle(m, "GetCallerIdentity", getCallerIdentity)
	wire.Handle(m, "AssumeRole", a.assumeRole)
	wire.Handle(m, "GetSessionToken", a.getSessionToken)
	wire.Handle(m, "GetFederationToken", a.getFederationToken)
	wire.Handle(m, "GetAccessKeyInfo", a.getAccessKeyInfo)
	wire.Handle(m, "AssumeRoleWithWebIdentity", a.assumeRoleWithWebIdentity)
	wire.Handle(m, "GetWebIdentityToken", a.getWebIdentityToken)
	wire.Handle(m, "DecodeAuthorizationMessage", a.decodeAuthorizationMessage)
	return m
}

// caller returns who calls.
func caller(ctx context.Context) (auth.Principal, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return p, errors.New("the request was not verified")
	}
	return p, nil
}

func getCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return &sts.GetCallerIdentityOutput{
		Account: aws.String(p.Account), Arn: aws.String(p.ARN), UserId: aws.String(p.UserID),
	}, nil
}

// getAccessKeyInfo tells the account of an access key, whoever's it is [D]. The keys of sessions say nothing of it, for no row holds
// them: only the caller's own is known.
func (a *api) getAccessKeyInfo(ctx context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	id := value(in.AccessKeyId)
	if n := len(id); n < 16 || n > 128 || !accessKeyID.MatchString(id) {
		return nil, invalid(id, "accessKeyId", `Member must have length between 16 and 128, and satisfy regular expression pattern: [\w]*`) // [I]
	}
	if id == p.AccessKeyID {
		return &sts.GetAccessKeyInfoOutput{Account: aws.String(p.Account)}, nil
	}
	k, ok := a.DB.Snapshot().AccessKeys.Get(id)
	if !ok {
		return nil, model.Errorf("ValidationError", "The access key %s is not known.", id) // [I]: AWS reads the account off any id
	}
	return &sts.GetAccessKeyInfoOutput{Account: aws.String(k.Account)}, nil
}

var accessKeyID = regexp.MustCompile(`^\w*$`)

// invalid is the refusal of a value by STS's model [O].
func invalid(given, member, constraint string) error {
	return model.Errorf("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", given, member, constraint)
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]*$`)

// checkName refuses the name of a session: 2 to 64 (32 of federated users) of [\w+=,.@-] [D].
func checkName(member, name string, most int) error {
	switch n := utf8.RuneCountInString(name); {
	case !sessionName.MatchString(name):
		return invalid(name, member, `Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	case n < 2:
		return invalid(name, member, "Member must have length greater than or equal to 2")
	case n > most:
		return invalid(name, member, "Member must have length less than or equal to "+decimal(most))
	}
	return nil
}

// duration reads how long a session is to live: from 15 minutes to most.
func duration(given *int32, usual, most int) (time.Duration, error) {
	n := usual
	if given != nil {
		n = int(*given)
	}
	switch {
	case n < 900:
		return 0, invalid(decimal(n), "durationSeconds", "Member must have value greater than or equal to 900")
	case n > most:
		return 0, invalid(decimal(n), "durationSeconds", "Member must have value less than or equal to "+decimal(most))
	}
	return time.Duration(n) * time.Second, nil
}

// credentials are what Issue made, in STS's shape.
func credentials(c auth.Credentials) *types.Credentials {
	return &types.Credentials{
		AccessKeyId: aws.String(c.AccessKeyID), SecretAccessKey: aws.String(c.Secret), SessionToken: aws.String(c.Token),
		Expiration: aws.Time(c.Expires.Truncate(time.Second)),
	}
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
