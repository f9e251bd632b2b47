package exec

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/roadstead/roadstead/model"
)

// tokenLife is how long a token opens a connection. A session whose client comes later needs a new one (ResumeSession).
const tokenLife = 5 * time.Minute

// claim is what a token says: it is good for one session, that of one task, until its end. Every member can verify it.
type claim struct {
	Session string       `json:"s"`
	Task    string       `json:"t"` // row key, which begins with account and Region
	Until   model.Millis `json:"u"`
}

var errToken = errors.New("the token is not valid")

// sign makes the claim's token.
func sign(key []byte, c claim) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return encode(b) + "." + encode(seal(key, b))
}

// verify reads a token that sign made and that is not too old.
func verify(key []byte, token string, now time.Time) (claim, error) {
	text, mac, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return claim{}, errToken
	}
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, seal(key, b)) {
		return claim{}, errToken
	}
	var c claim
	if json.Unmarshal(b, &c) != nil || now.UnixMilli() > c.Until {
		return claim{}, errToken
	}
	return c, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func seal(key, b []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return h.Sum(nil)
}
