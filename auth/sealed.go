package auth

import (
	"fmt"

	"github.com/roadstead/roadstead/model"
)

// Sealer encrypts secrets for the rows that they belong to, and decrypts them.
type Sealer interface {
	Seal(plain []byte, row string) []byte
	Open(sealed []byte, row string) ([]byte, error)
}

// sealedFor binds a secret to its key: it opens nowhere else.
func sealedFor(k *model.AccessKey) string { return "accesskey#" + k.ID }

// SealKey is the row of a key, which has its secret sealed (docs/decisions/037).
func SealKey(s Sealer, k model.AccessKey) *model.AccessKey {
	k.Sealed = s.Seal([]byte(k.Secret), sealedFor(&k))
	k.Secret = ""
	return &k
}

// OpenKey is the key of a row, with its secret. It is not to be stored. Rows from before secrets were sealed are as they were.
func OpenKey(s Sealer, row *model.AccessKey) (model.AccessKey, error) {
	k := *row
	if len(k.Sealed) == 0 {
		return k, nil
	}
	plain, err := s.Open(k.Sealed, sealedFor(row))
	if err != nil {
		return k, fmt.Errorf("open the secret of the access key %s: %w", k.ID, err)
	}
	k.Secret, k.Sealed = string(plain), nil
	return k, nil
}
