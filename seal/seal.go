// Package seal encrypts what must be readable to the control plane alone before it is stored: values of secrets and of secure
// parameters. What is sealed says with which key, and is bound to the row that it belongs to, so that it opens nowhere else.
//
// It must not know what it encrypts, nor where it is stored.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// KeyBytes is how long a key is.
const KeyBytes = 32

// idBytes is how much of a key's fingerprint goes before what it has sealed.
const idBytes = 8

// Sealer seals with the first of its keys, and opens what any of them has sealed. It is safe for concurrent use.
type Sealer struct{ keys []key }

type key struct {
	id   string // of idBytes
	aead cipher.AEAD
}

// New makes a Sealer. The first key is the one that seals; others are those from before it was changed.
func New(keys ...[]byte) (*Sealer, error) {
	s := &Sealer{}
	for _, k := range keys {
		if len(k) != KeyBytes {
			return nil, fmt.Errorf("a key for sealing has %d bytes, not %d", KeyBytes, len(k))
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("roadstead seal "), k...))
		s.keys = append(s.keys, key{string(sum[:idBytes]), aead})
	}
	if len(s.keys) == 0 {
		return nil, errors.New("there is no key for sealing")
	}
	return s, nil
}

// Seal encrypts a value of the row with the name.
func (s *Sealer) Seal(plain []byte, row string) []byte {
	k := s.keys[0]
	return k.aead.Seal([]byte(k.id), nil, plain, []byte(row))
}

// Errors of Open.
var (
	ErrOtherKey = errors.New("it was sealed with a key that this server does not have: start it with the --seal-key of the one that sealed it")
	ErrDamaged  = errors.New("what was sealed is damaged, or belongs to another row")
)

// Open decrypts what Seal made for the row with the name.
func (s *Sealer) Open(sealed []byte, row string) ([]byte, error) {
	if len(sealed) < idBytes {
		return nil, ErrDamaged
	}
	for _, k := range s.keys {
		if string(sealed[:idBytes]) != k.id {
			continue
		}
		plain, err := k.aead.Open(nil, nil, sealed[idBytes:], []byte(row))
		if err != nil {
			return nil, ErrDamaged
		}
		return plain, nil
	}
	return nil, ErrOtherKey
}

// ReadKeys reads a key file: a key a line, 64 hex digits each, the one that seals first. Empty lines and those that begin with # are
// passed over.
func ReadKeys(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key for sealing: %w", err)
	}
	var keys [][]byte
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		k, err := hex.DecodeString(line)
		if err != nil || len(k) != KeyBytes {
			return nil, fmt.Errorf("%s: a line is not %d hex digits", path, 2*KeyBytes)
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key: write 64 hex digits into it (openssl rand -hex 32)", path)
	}
	return keys, nil
}

// OpenKeys reads a key file like ReadKeys, and makes it with a new key if it is not there.
func OpenKeys(path string) ([][]byte, error) {
	k := make([]byte, KeyBytes)
	_, _ = rand.Read(k) // never fails
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return ReadKeys(path)
	case err != nil:
		return nil, fmt.Errorf("make the key for sealing: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(hex.EncodeToString(k) + "\n"); err != nil {
		return nil, fmt.Errorf("write the key for sealing: %w", err)
	}
	if err := f.Sync(); err != nil { // what it seals must not outlive it
		return nil, fmt.Errorf("write the key for sealing: %w", err)
	}
	return [][]byte{k}, nil
}
