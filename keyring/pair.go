package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha1" // RSAES_OAEP_SHA_1 is what AWS offers
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/roadstead/roadstead/model"
)

// Errors of what is asked of keys that are not symmetric.
var (
	ErrAlgorithm = errors.New("the key has no such algorithm")
	ErrDigest    = errors.New("the digest has not the length of the algorithm's")
)

// kind is a kind of key: what it can do, by its usage.
type kind struct {
	make       func(random io.Reader) ([]byte, error) // a material
	algorithms map[string][]string
}

// Usages of keys.
const (
	Encrypts = "ENCRYPT_DECRYPT"
	Signs    = "SIGN_VERIFY"
	Macs     = "GENERATE_VERIFY_MAC"
)

// kindOf is the kind of a spec; ok is false for one that is not served.
func kindOf(spec string) (s kind, ok bool) {
	switch spec {
	case "RSA_2048", "RSA_3072", "RSA_4096":
		bits := map[string]int{"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}[spec]
		return kind{func(random io.Reader) ([]byte, error) { return pkcs8(rsa.GenerateKey(random, bits)) }, map[string][]string{
			Encrypts: {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
			Signs: {"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
				"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512"},
		}}, true
	case "ECC_NIST_P256":
		return curve(elliptic.P256(), "ECDSA_SHA_256"), true
	case "ECC_NIST_P384":
		return curve(elliptic.P384(), "ECDSA_SHA_384"), true
	case "ECC_NIST_P521":
		return curve(elliptic.P521(), "ECDSA_SHA_512"), true
	case "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512":
		algorithm := strings.Replace(spec, "HMAC_", "HMAC_SHA_", 1)
		return kind{func(random io.Reader) ([]byte, error) {
			key := make([]byte, hashOf(algorithm).Size())
			_, err := io.ReadFull(random, key)
			return key, err
		}, map[string][]string{Macs: {algorithm}}}, true
	}
	return kind{}, false
}

func curve(c elliptic.Curve, algorithm string) kind {
	return kind{func(random io.Reader) ([]byte, error) { return pkcs8(ecdsa.GenerateKey(c, random)) }, map[string][]string{Signs: {algorithm}}}
}

func pkcs8(key any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// Algorithms are those that a key of a spec has for a usage; none if the usage is not one of the spec's. ok is false for a spec that is
// not served.
func Algorithms(spec, usage string) (names []string, ok bool) {
	s, ok := kindOf(spec)
	return slices.Clone(s.algorithms[usage]), ok
}

// hashOf is the hash that an algorithm's name ends with.
func hashOf(algorithm string) crypto.Hash {
	switch algorithm[strings.LastIndexByte(algorithm, '_')+1:] {
	case "1":
		return crypto.SHA1
	case "224":
		return crypto.SHA224
	case "256":
		return crypto.SHA256
	case "384":
		return crypto.SHA384
	}
	return crypto.SHA512
}

func newHash(h crypto.Hash) func() hash.Hash {
	return map[crypto.Hash]func() hash.Hash{
		crypto.SHA1: sha1.New, crypto.SHA224: sha256.New224, crypto.SHA256: sha256.New, crypto.SHA384: sha512.New384, crypto.SHA512: sha512.New,
	}[h]
}

// has says whether the key has an algorithm for a usage.
func has(row *model.KMSKey, usage, algorithm string) error {
	if names, _ := Algorithms(row.Spec, usage); !slices.Contains(names, algorithm) {
		return ErrAlgorithm
	}
	return nil
}

// private is the private key of a key that signs, or encrypts with RSA.
func (r *Ring) private(row *model.KMSKey) (crypto.Signer, error) {
	der, err := r.material(row, 0)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("the key %s has a material of the type %T", row.ARN(), key)
	}
	return signer, nil
}

// NewPair makes a pair of keys of a spec that is not kept: PKCS #8 of the private one, SubjectPublicKeyInfo of the public one. ok is false
// for a spec that has no pairs.
func (r *Ring) NewPair(spec string) (private, public []byte, ok bool, err error) {
	s, ok := kindOf(spec)
	if ok = ok && len(s.algorithms[Signs]) > 0; !ok {
		return nil, nil, false, nil
	}
	if private, err = s.make(r.Random); err != nil {
		return nil, nil, true, err
	}
	key, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, true, err
	}
	signer, _ := key.(crypto.Signer)
	public, err = x509.MarshalPKIXPublicKey(signer.Public())
	return private, public, true, err
}

// Public is the public key, DER of the type SubjectPublicKeyInfo.
func (r *Ring) Public(row *model.KMSKey) ([]byte, error) {
	key, err := r.private(row)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key.Public())
}

// digest is that of a message, or what is said to be one.
func digest(algorithm string, message []byte, digested bool) (crypto.Hash, []byte, error) {
	h := hashOf(algorithm)
	if !digested {
		w := newHash(h)()
		w.Write(message)
		return h, w.Sum(nil), nil
	}
	if len(message) != h.Size() {
		return h, nil, ErrDigest
	}
	return h, message, nil
}

func pss(h crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
}

// Sign signs a message, or the digest of one. Errors besides those of the material: ErrAlgorithm, ErrDigest.
func (r *Ring) Sign(row *model.KMSKey, algorithm string, message []byte, digested bool) ([]byte, error) {
	if err := has(row, Signs, algorithm); err != nil {
		return nil, err
	}
	h, sum, err := digest(algorithm, message, digested)
	if err != nil {
		return nil, err
	}
	key, err := r.private(row)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(algorithm, "RSASSA_PSS") {
		return key.Sign(r.Random, sum, pss(h))
	}
	return key.Sign(r.Random, sum, h)
}

// Verify says whether a signature is the key's of a message, or of the digest of one. Errors are those of Sign.
func (r *Ring) Verify(row *model.KMSKey, algorithm string, message []byte, digested bool, signature []byte) (bool, error) {
	if err := has(row, Signs, algorithm); err != nil {
		return false, err
	}
	h, sum, err := digest(algorithm, message, digested)
	if err != nil {
		return false, err
	}
	key, err := r.private(row)
	if err != nil {
		return false, err
	}
	switch public := key.Public().(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, sum, signature), nil
	case *rsa.PublicKey:
		if strings.HasPrefix(algorithm, "RSASSA_PSS") {
			return rsa.VerifyPSS(public, h, sum, signature, pss(h)) == nil, nil
		}
		return rsa.VerifyPKCS1v15(public, h, sum, signature) == nil, nil
	}
	return false, nil
}

// Mac makes the code of a message. ErrAlgorithm says that it is none of the key's.
func (r *Ring) Mac(row *model.KMSKey, algorithm string, message []byte) ([]byte, error) {
	if err := has(row, Macs, algorithm); err != nil {
		return nil, err
	}
	key, err := r.material(row, 0)
	if err != nil {
		return nil, err
	}
	m := hmac.New(newHash(hashOf(algorithm)), key)
	m.Write(message)
	return m.Sum(nil), nil
}

// EncryptRSA encrypts a text with a key of RSA, which has room for little. Errors: ErrAlgorithm, and rsa.ErrMessageTooLong.
func (r *Ring) EncryptRSA(row *model.KMSKey, algorithm string, plain []byte) ([]byte, error) {
	key, err := r.rsa(row, algorithm)
	if err != nil {
		return nil, err
	}
	return rsa.EncryptOAEP(newHash(hashOf(algorithm))(), r.Random, &key.PublicKey, plain, nil)
}

// DecryptRSA decrypts what EncryptRSA, or anybody with the public key, made. ErrDamaged says that it is no such thing.
func (r *Ring) DecryptRSA(row *model.KMSKey, algorithm string, text []byte) ([]byte, error) {
	key, err := r.rsa(row, algorithm)
	if err != nil {
		return nil, err
	}
	plain, err := rsa.DecryptOAEP(newHash(hashOf(algorithm))(), nil, key, bytes.Clone(text), nil)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

func (r *Ring) rsa(row *model.KMSKey, algorithm string) (*rsa.PrivateKey, error) {
	if err := has(row, Encrypts, algorithm); err != nil {
		return nil, err
	}
	key, err := r.private(row)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, ErrAlgorithm
	}
	return private, nil
}
