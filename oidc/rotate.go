package oidc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/roadstead/roadstead/model"
)

// Times of an issuer's keys. A new key is published long before it signs, because others keep what they fetched, and an old one for
// longer than the tokens live that it has signed.
const (
	keyLife  = 90 * 24 * time.Hour // after so long there is a new one
	announce = 7 * 24 * time.Hour  // it signs nothing for so long
	linger   = 24 * time.Hour      // the one before is published for so long when it signs no more
)

// MakeKey makes a key of an issuer for an algorithm, its secret sealed. It is for the caller to put it among the issuer's.
func MakeKey(issuer *model.TokenIssuer, id, algorithm string, now model.Millis, seal func(plain []byte, name string) []byte) (model.IssuerKey, error) {
	key := model.IssuerKey{ID: id, Algorithm: algorithm, CreatedAt: now}
	k, err := NewKey(id, algorithm)
	if err != nil {
		return key, err
	}
	secret, err := k.Marshal()
	if err != nil {
		return key, err
	}
	public, err := k.JWK()
	if err != nil {
		return key, err
	}
	if key.Public, err = json.Marshal(public); err != nil {
		return key, fmt.Errorf("encode a key: %w", err)
	}
	key.Sealed = seal(secret, issuer.KeyName(&key))
	return key, nil
}

// keysFor are the issuer's keys for an algorithm, the oldest first.
func keysFor(issuer *model.TokenIssuer, algorithm string) []*model.IssuerKey {
	var keys []*model.IssuerKey
	for i := range issuer.Keys {
		if k := &issuer.Keys[i]; k.Algorithm == algorithm {
			keys = append(keys, k)
		}
	}
	slices.SortStableFunc(keys, func(a, b *model.IssuerKey) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
	return keys
}

// begins is when a key signs: the first one at once.
func begins(keys []*model.IssuerKey, i int) model.Millis {
	if i == 0 {
		return 0
	}
	return keys[i].CreatedAt + announce.Milliseconds()
}

// Signing is the key that signs with the algorithm now; nil if there is none.
func Signing(issuer *model.TokenIssuer, algorithm string, now model.Millis) *model.IssuerKey {
	keys := keysFor(issuer, algorithm)
	for i, k := range slices.Backward(keys) {
		if begins(keys, i) <= now {
			return k
		}
	}
	return nil
}

// Due says whether the algorithm is to have a new key.
func Due(issuer *model.TokenIssuer, algorithm string, now model.Millis) bool {
	keys := keysFor(issuer, algorithm)
	return len(keys) > 0 && now >= keys[len(keys)-1].CreatedAt+keyLife.Milliseconds()
}

// Published are the keys that tokens may still be verified with, and those that are to sign soon: all but those that have signed
// nothing for long enough.
func Published(issuer *model.TokenIssuer, now model.Millis) []model.IssuerKey {
	return slices.DeleteFunc(slices.Clone(issuer.Keys), func(k model.IssuerKey) bool {
		keys := keysFor(issuer, k.Algorithm)
		i := slices.IndexFunc(keys, func(other *model.IssuerKey) bool { return other.ID == k.ID })
		return i+1 < len(keys) && begins(keys, i+1)+linger.Milliseconds() <= now
	})
}

// PublicKeys are those that an issuer's tokens are verified with.
func PublicKeys(issuer *model.TokenIssuer, now model.Millis) *JWKS {
	set := &JWKS{Keys: []JWK{}}
	for _, row := range Published(issuer, now) {
		var k JWK
		if json.Unmarshal(row.Public, &k) == nil {
			set.Keys = append(set.Keys, k)
		}
	}
	return set
}
