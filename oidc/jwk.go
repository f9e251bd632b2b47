package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
)

// JWK is a public key as issuers publish it (RFC 7517), of the kinds that tokens are signed with.
type JWK struct {
	Type      string `json:"kty"` // RSA or EC
	Use       string `json:"use,omitempty"`
	ID        string `json:"kid,omitempty"`
	Algorithm string `json:"alg,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// JWKS is a list of keys as issuers publish it.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// minRSA is the shortest modulus that is believed, in bits.
const minRSA = 2048

func curves() map[string]elliptic.Curve {
	return map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
}

func newJWK(id, algorithm string, public crypto.PublicKey) (JWK, error) {
	k := JWK{Use: "sig", ID: id, Algorithm: algorithm}
	text := base64.RawURLEncoding.EncodeToString
	switch p := public.(type) {
	case *rsa.PublicKey:
		k.Type, k.N, k.E = "RSA", text(p.N.Bytes()), text(big.NewInt(int64(p.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := p.Bytes() // 4, X, Y
		if err != nil {
			return k, err
		}
		half := len(point) / 2
		k.Type, k.Curve, k.X, k.Y = "EC", p.Curve.Params().Name, text(point[1:1+half]), text(point[1+half:])
	default:
		return k, fmt.Errorf("no token is signed with a %T", public)
	}
	return k, nil
}

// public is the key that a signature is verified with.
func (k *JWK) public() (crypto.PublicKey, error) {
	switch k.Type {
	case "RSA":
		n, err := number(k.N)
		e, err2 := number(k.E)
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		if n.BitLen() < minRSA || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
			return nil, errors.New("the RSA key is too weak, or none")
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
	case "EC":
		curve, ok := curves()[k.Curve]
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		y, err2 := base64.RawURLEncoding.DecodeString(k.Y)
		if err := errors.Join(err, err2); err != nil || !ok {
			return nil, fmt.Errorf("the curve %q: %w", k.Curve, errors.Join(err, errors.ErrUnsupported))
		}
		size := (curve.Params().BitSize + 7) / 8
		if len(x) != size || len(y) != size {
			return nil, errors.New("the point is none of the curve")
		}
		return ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	}
	return nil, fmt.Errorf("keys of type %q sign no tokens", k.Type)
}

func number(text string) (*big.Int, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return new(big.Int).SetBytes(b), err
}
