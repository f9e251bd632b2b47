// Package secretsmanager is the Secrets Manager API: secrets with versions and staging labels, one file per noun.
//
// It must not know how requests are decoded (wire), verified (auth) or allowed (access). Values are sealed before they are put into
// a row, and no error says one.
package secretsmanager

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. DB, Seal, May and MayUse are required.
type Config struct {
	DB   *state.DB
	Seal keyring.Sealer // of the materials of keys, and of values from before there were data keys
	// May refuses what the caller may not do besides the operation that it calls: GetSecretValue on each secret of a batch.
	May func(ctx context.Context, operation string, in any) error
	// MayUse refuses what the caller may not do with a key of KMS: an operation of KMS with its input.
	MayUse func(ctx context.Context, t *state.Tables, operation string, in any) error
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // of ARNs, version ids and passwords; nil means crypto/rand
	// Transport sends the calls of rotations; nil is one of our own, that knows the proxies and certificates of the environment.
	Transport http.RoundTripper
	Log       *slog.Logger // nil logs nothing
}

// API serves Secrets Manager, and rotates secrets while this member leads.
type API struct {
	api
	mux *wire.Mux
}

type api struct {
	Config
	keys   keyring.Service
	client *http.Client
}

// Mux has the handlers of the operations that are served; the others answer UnsupportedFeatureException.
func (a *API) Mux() *wire.Mux { return a.mux }

// New returns an API that rotates nothing before Run.
func New(cfg Config) *API {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{api: api{Config: cfg, keys: keyring.Service{Ring: keyring.Ring{Seal: cfg.Seal, Random: cfg.Random}, Name: "secretsmanager", May: cfg.MayUse}}}
	a.client = &http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a URL is asked, not wherever it sends us
	}
	a.mux = a.handlers()
	return a
}

func (a *api) handlers() *wire.Mux {
	m := wire.NewMux(wire.SecretsManager())
	wire.Handle(m, "CreateSecret", a.createSecret)
	wire.Handle(m, "UpdateSecret", a.updateSecret)
	wire.Handle(m, "DescribeSecret", a.describeSecret)
	wire.Handle(m, "ListSecrets", a.listSecrets)
	wire.Handle(m, "DeleteSecret", a.deleteSecret)
	wire.Handle(m, "RestoreSecret", a.restoreSecret)
	wire.Handle(m, "GetSecretValue", a.getSecretValue)
	wire.Handle(m, "BatchGetSecretValue", a.batchGetSecretValue)
	wire.Handle(m, "PutSecretValue", a.putSecretValue)
	wire.Handle(m, "ListSecretVersionIds", a.listSecretVersionIDs)
	wire.Handle(m, "UpdateSecretVersionStage", a.updateSecretVersionStage)
	wire.Handle(m, "GetRandomPassword", a.getRandomPassword)
	wire.Handle(m, "PutResourcePolicy", a.putResourcePolicy)
	wire.Handle(m, "GetResourcePolicy", a.getResourcePolicy)
	wire.Handle(m, "DeleteResourcePolicy", a.deleteResourcePolicy)
	wire.Handle(m, "ValidateResourcePolicy", a.validateResourcePolicy)
	wire.Handle(m, "RotateSecret", a.rotateSecret)
	wire.Handle(m, "CancelRotateSecret", a.cancelRotateSecret)
	wire.Handle(m, "TagResource", a.tagResource)
	wire.Handle(m, "UntagResource", a.untagResource)
	return m
}

// Errors, in AWS's words [O].
var (
	errNoSecret = model.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	errMarked   = model.Errorf("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
)

func badRequest(format string, args ...any) error {
	return model.Errorf("InvalidRequestException", format, args...)
}

func badParameter(format string, args ...any) error {
	return model.Errorf("InvalidParameterException", format, args...)
}

func scopeOf(ctx context.Context) (model.Scope, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return model.Scope{}, errors.New("the request was not verified")
	}
	return p.Scope(), nil
}

func (a *api) now() model.Millis { return a.Now().UnixMilli() }

// find returns the secret that a request names: one of another account by its ARN, which its policy was asked about.
func find(t *state.Tables, s model.Scope, id string, now model.Millis) (*model.Secret, error) {
	row := t.SecretByID(s, id)
	if row == nil || row.Region != s.Region || row.GoneAt != 0 && row.GoneAt <= now {
		return nil, errNoSecret
	}
	return row, nil
}

// edit puts a changed copy of a secret that is not marked for deletion. f must not change slices in place.
func (a *api) edit(ctx context.Context, id *string, f func(tx *state.Tx, row *model.Secret) error) (*model.Secret, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	var row model.Secret
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		old, err := find(tx.Tables, s, deref(id), a.now())
		if err != nil {
			return err
		}
		if row = *old; row.DeletedAt != 0 {
			return errMarked
		}
		if err := f(tx, &row); err != nil {
			return err
		}
		tx.Secrets.Put(&row)
		return nil
	})
	return &row, err
}

// look returns a secret as it is, marked for deletion or not.
func (a *api) look(ctx context.Context, id *string) (*state.Tables, *model.Secret, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	t := a.DB.Snapshot().Tables
	row, err := find(t, s, deref(id), a.now())
	return t, row, err
}

// maxTags is how many tags a secret may have [D].
const maxTags = 50

func mergeTags(have []model.Tag, add []types.Tag) ([]model.Tag, error) {
	var news []model.Tag
	for _, t := range add {
		tag := model.Tag{Key: deref(t.Key), Value: deref(t.Value)}
		if tag.Key == "" || strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return nil, badRequest("The tag key %q is not allowed.", tag.Key) // [I]
		}
		news = append(news, tag)
	}
	out := model.MergeTags(have, news)
	if len(out) > maxTags {
		return nil, badRequest("You can have up to %d tags for a secret.", maxTags) // [I]
	}
	return out, nil
}

func tagViews(tags []model.Tag) (out []types.Tag) {
	for _, t := range tags {
		out = append(out, types.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)})
	}
	return out
}

// stagesOf are the versions that have staging labels, with them.
func stagesOf(row *model.Secret) map[string][]string {
	out := map[string][]string{}
	for _, v := range row.Versions {
		if len(v.Stages) > 0 {
			out[v.ID] = slices.Clone(v.Stages)
		}
	}
	return out
}

func moment(m model.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	return aws.Time(time.UnixMilli(m).UTC())
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
