// Package kms is the KMS API: keys, their aliases, and what is encrypted and signed with them, one file per noun.
//
// It must not know how requests are decoded (wire), verified (auth) or allowed (access). The material of a key is sealed before it is
// put into a row, and no answer has it.
package kms

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/keyring"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Config says what the API is made of. DB and Seal are required.
type Config struct {
	DB     *state.DB
	Seal   keyring.Sealer
	Now    func() time.Time // nil means time.Now
	Random io.Reader        // of ids, material, data keys; nil means crypto/rand
}

type api struct {
	Config
	ring keyring.Ring
}

// New returns the handlers of the operations that are served; the others answer UnsupportedFeatureException.
func New(cfg Config) *wire.Mux {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	a := &api{cfg, keyring.Ring{Seal: cfg.Seal, Random: cfg.Random}}
	m := wire.NewMux(wire.KMS())
	wire.Handle(m, "CreateKey", a.createKey)
	wire.Handle(m, "DescribeKey", a.describeKey)
	wire.Handle(m, "ListKeys", a.listKeys)
	wire.Handle(m, "UpdateKeyDescription", a.updateKeyDescription)
	wire.Handle(m, "EnableKey", a.enableKey)
	wire.Handle(m, "DisableKey", a.disableKey)
	wire.Handle(m, "ScheduleKeyDeletion", a.scheduleKeyDeletion)
	wire.Handle(m, "CancelKeyDeletion", a.cancelKeyDeletion)
	wire.Handle(m, "EnableKeyRotation", a.enableKeyRotation)
	wire.Handle(m, "DisableKeyRotation", a.disableKeyRotation)
	wire.Handle(m, "GetKeyRotationStatus", a.getKeyRotationStatus)
	wire.Handle(m, "GetKeyPolicy", a.getKeyPolicy)
	wire.Handle(m, "PutKeyPolicy", a.putKeyPolicy)
	wire.Handle(m, "ListKeyPolicies", a.listKeyPolicies)
	wire.Handle(m, "TagResource", a.tagResource)
	wire.Handle(m, "UntagResource", a.untagResource)
	wire.Handle(m, "ListResourceTags", a.listResourceTags)
	wire.Handle(m, "CreateAlias", a.createAlias)
	wire.Handle(m, "UpdateAlias", a.updateAlias)
	wire.Handle(m, "DeleteAlias", a.deleteAlias)
	wire.Handle(m, "ListAliases", a.listAliases)
	wire.Handle(m, "GetParametersForImport", a.getParametersForImport)
	wire.Handle(m, "ImportKeyMaterial", a.importKeyMaterial)
	wire.Handle(m, "DeleteImportedKeyMaterial", a.deleteImportedKeyMaterial)
	wire.Handle(m, "Encrypt", a.encrypt)
	wire.Handle(m, "Decrypt", a.decrypt)
	wire.Handle(m, "ReEncrypt", a.reEncrypt)
	wire.Handle(m, "GenerateDataKey", a.generateDataKey)
	wire.Handle(m, "GenerateDataKeyWithoutPlaintext", a.generateDataKeyWithoutPlaintext)
	wire.Handle(m, "GenerateDataKeyPair", a.generateDataKeyPair)
	wire.Handle(m, "GenerateDataKeyPairWithoutPlaintext", a.generateDataKeyPairWithoutPlaintext)
	wire.Handle(m, "GenerateRandom", a.generateRandom)
	wire.Handle(m, "CreateGrant", a.createGrant)
	wire.Handle(m, "ListGrants", a.listGrants)
	wire.Handle(m, "ListRetirableGrants", a.listRetirableGrants)
	wire.Handle(m, "RetireGrant", a.retireGrant)
	wire.Handle(m, "RevokeGrant", a.revokeGrant)
	wire.Handle(m, "GetPublicKey", a.getPublicKey)
	wire.Handle(m, "Sign", a.sign)
	wire.Handle(m, "Verify", a.verify)
	wire.Handle(m, "GenerateMac", a.generateMac)
	wire.Handle(m, "VerifyMac", a.verifyMac)
	return m
}

func invalid(format string, args ...any) error {
	return model.Errorf("ValidationException", format, args...)
}

func unsupported(format string, args ...any) error {
	return model.Errorf("UnsupportedOperationException", format, args...)
}

func scopeOf(ctx context.Context) (model.Scope, error) {
	p, ok := auth.PrincipalFrom(ctx)
	if !ok {
		return model.Scope{}, errors.New("the request was not verified")
	}
	return p.Scope(), nil
}

func (a *api) now() model.Millis { return a.Now().UnixMilli() }

// waits refuses keys that wait for their deletion.
func waits(row *model.KMSKey) error {
	if row.GoneAt != 0 {
		return row.Usable()
	}
	return nil
}

// works refuses keys that wait for their deletion or their material.
func works(row *model.KMSKey) error {
	if row.GoneAt != 0 || row.AwaitsMaterial() {
		return row.Usable()
	}
	return nil
}

// own refuses the keys of other accounts, which can be used and looked at, and no more [D].
func own(s model.Scope) func(row *model.KMSKey, err error) (*model.KMSKey, error) {
	return func(row *model.KMSKey, err error) (*model.KMSKey, error) {
		if err == nil && row.Account != s.Account {
			return nil, model.Errorf("AccessDeniedException", "The key %s belongs to another account.", row.ARN()) // [I]
		}
		return row, err
	}
}

// mine is look for a key of the caller's account.
func (a *api) mine(ctx context.Context, id *string) (*model.KMSKey, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	return own(s)(a.look(ctx, id))
}

// look returns a key as it is. One that a service of AWS would have made by its first use is made [D].
func (a *api) look(ctx context.Context, id *string) (*model.KMSKey, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	row, err := a.DB.Snapshot().FindKMSKey(s, deref(id), a.now())
	service := keyring.ManagedBy(s, deref(id))
	if err == nil || service == "" {
		return row, err
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) (err error) {
		row, err = a.ring.Managed(tx, s, service, a.now())
		return err
	})
	return row, err
}

// edit puts a changed copy of a customer's key. f must not change slices in place.
func (a *api) edit(ctx context.Context, id *string, f func(row *model.KMSKey) error) (*model.KMSKey, error) {
	s, err := scopeOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := byID(id); err != nil {
		return nil, err
	}
	var row *model.KMSKey
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if row, err = editable(s)(tx.FindKMSKey(s, deref(id), a.now())); err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
		tx.KMSKeys.Put(row)
		return nil
	})
	return row, err
}

// byID refuses an alias: a key is managed by its id.
func byID(id *string) error {
	if strings.Contains(deref(id), "alias/") {
		return model.Errorf("InvalidArnException", "Invalid keyId %s", deref(id)) // [O]
	}
	return nil
}

// editable is a copy of a customer's key of the scope's account.
func editable(s model.Scope) func(row *model.KMSKey, err error) (*model.KMSKey, error) {
	return func(row *model.KMSKey, err error) (*model.KMSKey, error) {
		if row, err = own(s)(row, err); err != nil {
			return nil, err
		}
		if row.AWS != "" {
			return nil, model.Errorf("AccessDeniedException", "The key %s is managed by AWS.", row.ARN()) // [I]
		}
		return new(*row), nil
	}
}

// pageOf returns the page of a listing that begins behind the marker's key, and the marker of the next.
func pageOf[T any](op string, filters any, items []T, key func(T) string, size *int32, marker *string) ([]T, *string, error) {
	n := int(deref(size))
	switch {
	case size == nil:
		n = 100
	case n < 1 || n > 1000:
		return nil, nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and 1000", n) // [I]
	}
	if marker != nil {
		last, err := wire.ParsePageToken(op, filters, *marker)
		if err != nil {
			return nil, nil, model.Errorf("InvalidMarkerException", "Could not deserialize marker '%s'", *marker) // [I]
		}
		i, found := slices.BinarySearchFunc(items, last, func(item T, last string) int { return strings.Compare(key(item), last) })
		if found {
			i++
		}
		items = items[i:]
	}
	if len(items) <= n {
		return items, nil, nil
	}
	return items[:n], aws.String(wire.PageToken(op, filters, key(items[n-1]))), nil
}

func moment(m model.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	return aws.Time(time.UnixMilli(m).UTC())
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
