// Package iam is the Identity and Access Management API: users, groups, roles, their policies, instance profiles and identity
// providers, one file per noun.
//
// It must not know how requests are decoded (wire) or verified (auth), nor how calls are decided: it keeps the rows that access
// reads, and asks Config.Policies what counts for somebody only to simulate. IAM is global: its rows have no Region.
package iam

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/policy"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. DB and Policies are required.
type Config struct {
	DB *state.DB
	// Policies describes the user, group or role with an ARN and the policies that count for it.
	Policies func(t *state.Tables, arn string) (*policy.Principal, *policy.Policies, error)
	// IssuerURL is where the documents of a model.TokenIssuer are, by its id.
	IssuerURL func(id string) string
	Seal      *seal.Sealer     // of the secrets of access keys, and of issuers' keys
	Now       func() time.Time // nil means time.Now
	Random    io.Reader        // of ids and secrets; nil means crypto/rand
}

// api holds the handlers. It has no state of its own.
type api struct{ Config }

// New returns the handlers of the IAM operations that are served; the others answer UnsupportedFeatureException.
func New(cfg Config) *wire.Mux {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	a := &api{cfg}
	m := wire.NewMux(wire.IAM())
	a.serveUsers(m)
	a.serveGroups(m)
	a.serveRoles(m)
	a.servePolicies(m)
	a.serveInline(m)
	a.serveAttachments(m)
	a.serveProfiles(m)
	a.serveProviders(m)
	a.serveIssuer(m)
	a.serveSimulation(m)
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

// change runs f on the head for the caller's account.
func (a *api) change(ctx context.Context, f func(tx *state.Tx, account string) error) error {
	p, err := caller(ctx)
	if err != nil {
		return err
	}
	return a.DB.Update(ctx, func(tx *state.Tx) error { return f(tx, p.Account) })
}

// look returns the tables as they are, and the caller's account.
func (a *api) look(ctx context.Context) (*state.Tables, string, error) {
	p, err := caller(ctx)
	return a.DB.Snapshot().Tables, p.Account, err
}

func (a *api) now() model.Millis { return a.Now().UnixMilli() }

// newID is a unique id as IAM has them: the prefix and 17 letters and digits, of keys 16.
func (a *api) newID(prefix string) (string, error) {
	n := 17
	if prefix == keyPrefix {
		n = 16
	}
	var b [20]byte
	if _, err := io.ReadFull(a.Random, b[:]); err != nil {
		return "", err
	}
	return prefix + base32.StdEncoding.EncodeToString(b[:])[:n], nil
}

// Prefixes of unique ids [D].
const (
	keyPrefix     = "AKIA"
	userPrefix    = "AIDA"
	groupPrefix   = "AGPA"
	rolePrefix    = "AROA"
	policyPrefix  = "ANPA"
	profilePrefix = "AIPA"
)

func (a *api) newSecret() (string, error) {
	var b [30]byte
	_, err := io.ReadFull(a.Random, b[:])
	return base64.StdEncoding.EncodeToString(b[:]), err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// optional is nil for "".
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(m model.Millis) *time.Time {
	return aws.Time(time.UnixMilli(m).UTC().Truncate(time.Second))
}

// encoded is a document as answers carry it: percent-encoded after RFC 3986 [D].
func encoded(document string) *string {
	return aws.String(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}
