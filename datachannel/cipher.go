package datachannel

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// CipherKey is the length of the key of an encrypted session, in bytes: a half for each direction.
const CipherKey = 64

// NonceSize is the length of what makes each sealed piece unlike all others, in bytes.
const NonceSize = 12

// Cipher encrypts what an encrypted session carries: AES-GCM, the nonce first (AGENT-PROTOCOL §5.5).
type Cipher struct{ ours, theirs cipher.AEAD }

// NewServerCipher is the node's.
func NewServerCipher(key []byte) (*Cipher, error) { return newCipher(key, 0) }

// NewClientCipher is the client's.
func NewClientCipher(key []byte) (*Cipher, error) { return newCipher(key, CipherKey/2) }

// newCipher seals with the half that begins at ours.
func newCipher(key []byte, ours int) (*Cipher, error) {
	if len(key) != CipherKey {
		return nil, fmt.Errorf("the session's key has %d bytes, want %d", len(key), CipherKey)
	}
	a, err := half(key, ours)
	if err != nil {
		return nil, err
	}
	b, err := half(key, CipherKey/2-ours)
	return &Cipher{a, b}, err
}

func half(key []byte, at int) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[at : at+CipherKey/2])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal encrypts a piece with a nonce that no other has.
func (c *Cipher) Seal(nonce [NonceSize]byte, piece []byte) []byte {
	return c.ours.Seal(nonce[:], nonce[:], piece, nil)
}

// Open decrypts a piece of the other end's.
func (c *Cipher) Open(sealed []byte) ([]byte, error) {
	if len(sealed) < NonceSize {
		return nil, errors.New("a piece of an encrypted session is too short")
	}
	piece, err := c.theirs.Open(nil, sealed[:NonceSize], sealed[NonceSize:], nil)
	if err != nil {
		return nil, fmt.Errorf("decrypt a piece of a session: %w", err)
	}
	return piece, nil
}

// Sealed says whether pieces of this type are encrypted in an encrypted session.
func Sealed(payloadType uint32) bool {
	return payloadType == Output || payloadType == StdErr || payloadType == ExitCode
}
