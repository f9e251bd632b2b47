package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithms that tokens of ours are signed with, those of STS [D].
const (
	RS256 = "RS256"
	ES384 = "ES384"
)

// Key signs tokens.
type Key struct {
	ID, Algorithm string
	private       crypto.Signer
}

// NewKey makes a key for an algorithm.
func NewKey(id, algorithm string) (k *Key, err error) {
	k = &Key{ID: id, Algorithm: algorithm}
	switch algorithm {
	case RS256:
		k.private, err = rsa.GenerateKey(rand.Reader, minRSA)
	case ES384:
		k.private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		err = fmt.Errorf("no key for the algorithm %q", algorithm)
	}
	return k, err
}

// Marshal is the secret part of the key, for ParseKey.
func (k *Key) Marshal() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.private) }

// ParseKey reads what Marshal wrote.
func ParseKey(id, algorithm string, secret []byte) (*Key, error) {
	private, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", id, err)
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key " + id + " cannot sign")
	}
	return &Key{id, algorithm, signer}, nil
}

// JWK is the public part of the key.
func (k *Key) JWK() (JWK, error) { return newJWK(k.ID, k.Algorithm, k.private.Public()) }

// Sign makes a token that says so.
func (k *Key) Sign(claims map[string]any) (string, error) {
	t := jwt.NewWithClaims(jwt.GetSigningMethod(k.Algorithm), jwt.MapClaims(claims))
	t.Header["kid"] = k.ID
	return t.SignedString(k.private)
}

// Paths of an issuer's documents, behind its URL [D].
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	KeysPath      = "/.well-known/jwks.json"
)

// Discovery is what an issuer says of itself.
type Discovery struct {
	Issuer        string   `json:"issuer"`
	KeysURL       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Claims        []string `json:"claims_supported,omitempty"`
}

// Describe is the document of an issuer of ours that has the keys.
func Describe(issuer string, keys JWKS) Discovery {
	algorithms := map[string]bool{}
	for _, k := range keys.Keys {
		algorithms[k.Algorithm] = true
	}
	return Discovery{
		Issuer: issuer, KeysURL: issuer + KeysPath, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		Algorithms: slices.Sorted(maps.Keys(algorithms)), Claims: []string{"sub", "aud", "exp", "iat", "iss", "jti"},
	}
}
