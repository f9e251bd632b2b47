package auth

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// messageLife is how long a message can be decoded. AWS says that they expire, and not when.
const messageLife = 24 * time.Hour

// MessagePrefix begins messages, so that people and programs know one.
const MessagePrefix = "rsdenied1."

// EncodeMessage seals what an account may know of a refusal, for DecodeMessage. It fits into a header.
func (s *Sessions) EncodeMessage(account string, plain []byte, now time.Time) string {
	dated := append(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())), plain...)
	return MessagePrefix + base64.RawURLEncoding.EncodeToString(s.messages.Seal(nil, nil, dated, []byte(account)))
}

// DecodeMessage opens a message of the account that is not too old.
func (s *Sessions) DecodeMessage(account, text string, now time.Time) (plain []byte, ok bool) {
	text, ok = strings.CutPrefix(text, MessagePrefix)
	if !ok || strings.ContainsAny(text, "\r\n") { // which base64 takes, and AWS does not
		return nil, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	dated, err := s.messages.Open(nil, nil, sealed, []byte(account))
	if err != nil || len(dated) < 8 {
		return nil, false
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(dated)))
	return dated[8:], now.Sub(made) < messageLife
}
