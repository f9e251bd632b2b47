package keyring

import (
	"context"
	"io"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// Service encrypts values of one service with keys of KMS, in the names of the service's callers.
type Service struct {
	Ring
	Name string // "secretsmanager"
	// May refuses what the caller of the service may not do with a key: an operation of KMS, as the tables decide about what is Asked.
	May func(ctx context.Context, t *state.Tables, operation string, in any) error
}

// Asked is the input of an operation of KMS, with the members that decisions are about.
type Asked struct {
	KeyID             string // an ARN
	EncryptionContext map[string]string
}

// Locked is a value that was encrypted with a data key of its own.
type Locked struct {
	DataKey []byte // a blob
	Text    []byte
}

// Key returns the key that values are to be encrypted with, fresh if it can be used: that of the service if the id is "" [D]. Errors
// are those of KMS.
func (s *Service) Key(tx *state.Tx, scope model.Scope, id string, now model.Millis) (*model.KMSKey, error) {
	var row *model.KMSKey
	var err error
	if id == "" || ManagedBy(scope, id) == s.Name {
		row, err = s.Managed(tx, scope, s.Name, now)
	} else {
		row, err = tx.FindKMSKey(scope, id, now)
	}
	if err != nil {
		return nil, err
	}
	if row.Spec != "" {
		return nil, model.Errorf("InvalidKeyUsageException", "The key %s is not a symmetric encryption key.", row.ARN()) // [I]
	}
	if row.Usable() != nil {
		return row, nil
	}
	return s.Fresh(tx, row, now)
}

// Unasked is the service acting in its own name: nobody's permission is asked for.
func (s *Service) Unasked() *Service {
	own := *s
	own.May = func(context.Context, *state.Tables, string, any) error { return nil }
	return &own
}

// Wrap is KMS's Encrypt for the caller, with a key that Key returned.
func (s *Service) Wrap(ctx context.Context, t *state.Tables, key *model.KMSKey, plain []byte, with map[string]string) ([]byte, error) {
	if err := s.May(ctx, t, "Encrypt", &Asked{key.ARN(), with}); err != nil {
		return nil, err
	}
	if err := key.Usable(); err != nil {
		return nil, err
	}
	return s.Encrypt(key, plain, with)
}

// Unwrap is KMS's Decrypt for the caller. Blobs without an account are of keys of the scope.
func (s *Service) Unwrap(ctx context.Context, t *state.Tables, scope model.Scope, blob []byte, with map[string]string, now model.Millis) ([]byte, error) {
	by, ok := Encrypted(blob)
	if !ok {
		return nil, ErrDamaged
	}
	if by.Account != "" {
		scope.Account = by.Account
	}
	key, err := t.FindKMSKey(scope, by.Key, now)
	if err != nil {
		return nil, err
	}
	if err := s.May(ctx, t, "Decrypt", &Asked{key.ARN(), with}); err != nil {
		return nil, err
	}
	if err := key.Usable(); err != nil {
		return nil, err
	}
	return s.Decrypt(key, blob, with)
}

// Try says whether the caller may encrypt and decrypt with a key in such a context.
func (s *Service) Try(ctx context.Context, t *state.Tables, key *model.KMSKey, with map[string]string) error {
	if err := s.May(ctx, t, "GenerateDataKey", &Asked{key.ARN(), with}); err != nil {
		return err
	}
	if err := s.May(ctx, t, "Decrypt", &Asked{key.ARN(), with}); err != nil {
		return err
	}
	return key.Usable()
}

// DataKey is KMS's GenerateDataKey for the caller, of MaterialBytes, with a key that Key returned. Unwrap opens what is wrapped.
func (s *Service) DataKey(ctx context.Context, t *state.Tables, key *model.KMSKey, with map[string]string) (plain, wrapped []byte, err error) {
	if err := s.May(ctx, t, "GenerateDataKey", &Asked{key.ARN(), with}); err != nil {
		return nil, nil, err
	}
	if err := key.Usable(); err != nil {
		return nil, nil, err
	}
	plain = make([]byte, MaterialBytes)
	if _, err := io.ReadFull(s.Random, plain); err != nil {
		return nil, nil, err
	}
	wrapped, err = s.Encrypt(key, plain, with)
	return plain, wrapped, err
}

// Lock encrypts a value with a data key, as GenerateDataKey makes one for the caller with a key that Key returned.
func (s *Service) Lock(ctx context.Context, t *state.Tables, key *model.KMSKey, plain []byte, with map[string]string) (Locked, error) {
	data, wrapped, err := s.DataKey(ctx, t, key, with)
	if err != nil {
		return Locked{}, err
	}
	aead, err := blobCipher(data)
	if err != nil {
		return Locked{}, err
	}
	return Locked{wrapped, aead.Seal(nil, nil, plain, nil)}, nil
}

// Unlock decrypts what Lock made.
func (s *Service) Unlock(ctx context.Context, t *state.Tables, scope model.Scope, l Locked, with map[string]string, now model.Millis) ([]byte, error) {
	data, err := s.Unwrap(ctx, t, scope, l.DataKey, with, now)
	if err != nil {
		return nil, err
	}
	aead, err := blobCipher(data)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, l.Text, nil)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}
