package acs

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// JoinToken is what a node needs to join: a node key and the Region. It travels as one word, "rsjoin1.<base64>".
type JoinToken struct {
	KeyID  string `json:"k"`
	Secret string `json:"s"`
	Region string `json:"r"`
}

const joinPrefix = "rsjoin1."

func (t JoinToken) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // three strings always marshal
	}
	return joinPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseJoinToken reads a token as String writes it.
func ParseJoinToken(s string) (JoinToken, error) {
	var t JoinToken
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), joinPrefix)
	if ok {
		b, err := base64.RawURLEncoding.DecodeString(rest)
		if err == nil && json.Unmarshal(b, &t) == nil && t.KeyID != "" && t.Secret != "" && t.Region != "" {
			return t, nil
		}
	}
	return JoinToken{}, errors.New("not a join token: make one with `roadstead token create`")
}
