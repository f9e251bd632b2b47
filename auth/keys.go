package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// maxKeys bounds the cache of derived signing keys. A client needs one per day, Region and service.
const maxKeys = 4096

// keyCache remembers derived signing keys: deriving one costs four HMACs.
type keyCache struct {
	mu   sync.RWMutex
	keys map[keyID]derivedKey // guarded by mu
}

type keyID struct{ accessKey, date, region, service string }

// derivedKey carries the secret it was derived from, so that a replaced secret is never answered with the old key.
type derivedKey struct {
	secret string
	key    [sha256.Size]byte
}

func (c *keyCache) get(id keyID, secret string) (key [sha256.Size]byte, cached bool) {
	c.mu.RLock()
	k, ok := c.keys[id]
	c.mu.RUnlock()
	if ok && k.secret == secret {
		return k.key, true
	}
	return deriveKey(id, secret), false
}

// put is called only for keys that have verified a signature, so that strangers cannot fill the cache. When it is full
// it starts anew: the keys in use come back with the next requests, those of past days do not.
func (c *keyCache) put(id keyID, secret string, key [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = make(map[keyID]derivedKey)
	}
	c.keys[id] = derivedKey{secret: secret, key: key}
}

func deriveKey(id keyID, secret string) [sha256.Size]byte {
	k := sign([]byte("AWS4"+secret), id.date)
	k = sign(k[:], id.region)
	k = sign(k[:], id.service)
	return sign(k[:], "aws4_request")
}

func sign(key []byte, text string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}
