package keyring

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/roadstead/roadstead/model"
)

// Errors of materials that owners of keys bring.
var (
	ErrToken        = errors.New("the import token is none, or another key's")
	ErrTokenExpired = errors.New("the import token has expired")
	ErrMaterial     = errors.New("the material is none of the key's spec, or not the one that it had")
)

// Wrapping says how a material is encrypted on its way here: with a pair of keys that is made for this, whose private one nobody keeps
// but who is to send the material. It is sealed in the token that he sends along.
type Wrapping struct {
	Spec      string       `json:"-"`         // of the pair: "RSA_4096"
	Algorithm string       `json:"algorithm"` // "RSAES_OAEP_SHA_256"
	ValidTo   model.Millis `json:"validTo"`
}

// importToken is what a token holds.
type importToken struct {
	Wrapping
	Private []byte `json:"private"` // PKCS #8
}

// NewWrapping makes the public key, of the type SubjectPublicKeyInfo, and the token. ErrAlgorithm says that materials are wrapped in no
// such way, or none of the key's would fit.
func (r *Ring) NewWrapping(row *model.KMSKey, w Wrapping) (public, token []byte, err error) {
	s, ok := kindOf(w.Spec)
	if !ok || !slices.Contains(s.algorithms[Encrypts], w.Algorithm) || row.Spec == "ECC_NIST_P521" && w.Spec == "RSA_2048" {
		return nil, nil, ErrAlgorithm
	}
	private, public, _, err := r.NewPair(w.Spec)
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(importToken{w, private})
	if err != nil {
		return nil, nil, err
	}
	return public, r.Seal.Seal(text, tokenName(row)), nil
}

// tokenName is what a token is sealed for.
func tokenName(row *model.KMSKey) string { return row.Key() + "#import" }

// printName is what the print of a material is sealed for.
func printName(row *model.KMSKey) string { return row.Key() + "#print" }

// Brought is a material that somebody has brought, as a key keeps it. It can only be had from Unwrap.
type Brought struct{ text []byte }

// Unwrap decrypts a material that was wrapped for the key. Errors: ErrToken, ErrTokenExpired, ErrDamaged, ErrMaterial.
func (r *Ring) Unwrap(row *model.KMSKey, token, wrapped []byte, now model.Millis) (Brought, error) {
	text, err := r.Seal.Open(token, tokenName(row))
	if err != nil {
		return Brought{}, ErrToken
	}
	var t importToken
	if err := json.Unmarshal(text, &t); err != nil {
		return Brought{}, ErrToken
	}
	if now >= t.ValidTo {
		return Brought{}, ErrTokenExpired
	}
	key, err := x509.ParsePKCS8PrivateKey(t.Private)
	if err != nil {
		return Brought{}, err
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return Brought{}, ErrToken
	}
	plain, err := rsa.DecryptOAEP(newHash(hashOf(t.Algorithm))(), nil, private, wrapped, nil)
	if err != nil {
		return Brought{}, ErrDamaged
	}
	material, err := normal(row.Spec, plain)
	return Brought{material}, err
}

// normal is a material as keys keep those of the spec, however it was written; ErrMaterial if it is none.
func normal(spec string, plain []byte) ([]byte, error) {
	n := MaterialBytes
	switch s, _ := kindOf(spec); {
	case len(s.algorithms[Macs]) > 0: // as long as the hash [D]
		n = hashOf(s.algorithms[Macs][0]).Size()
	case len(s.algorithms[Signs]) > 0:
		key, err := x509.ParsePKCS8PrivateKey(plain)
		private, ok := key.(*ecdsa.PrivateKey)
		if err != nil || !ok || "ECC_NIST_P"+private.Params().Name[len("P-"):] != spec {
			return nil, ErrMaterial
		}
		return x509.MarshalPKCS8PrivateKey(private)
	}
	if len(plain) != n {
		return nil, ErrMaterial
	}
	return plain, nil
}

// Take gives a key the material that was brought for it; it is gone at the time that expires says, 0 for never. A key has one for ever:
// any other is ErrMaterial.
func (r *Ring) Take(row *model.KMSKey, b Brought, expires, now model.Millis) error {
	m := model.KMSMaterial{CreatedAt: now}
	sum := sha256.Sum256(b.text)
	if len(row.Materials) > 0 {
		m = row.Materials[0]
		before, err := r.Seal.Open(m.Print, printName(row))
		if err != nil {
			return err
		}
		if !hmac.Equal(before, sum[:]) {
			return ErrMaterial
		}
	} else {
		id := make([]byte, 32)
		if _, err := io.ReadFull(r.Random, id); err != nil {
			return err
		}
		m.ID, m.Print = hex.EncodeToString(id), r.Seal.Seal(sum[:], printName(row))
	}
	m.Sealed, m.ExpiresAt = r.Seal.Seal(b.text, materialName(row, 0)), expires
	row.Materials = []model.KMSMaterial{m}
	return nil
}
