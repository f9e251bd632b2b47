package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/auth"
)

// A message can be decoded for its account, as it is, and for a day [I].
func TestMessages(t *testing.T) {
	one, err := auth.NewSessions("secret", "000000000000")
	if err != nil {
		t.Fatal(err)
	}
	same, _ := auth.NewSessions("secret", "000000000000")
	other, _ := auth.NewSessions("another secret", "000000000000")
	text := one.EncodeMessage("111122223333", []byte("why"), now)
	last := text[:len(text)-2] + map[bool]string{true: "A", false: "B"}[text[len(text)-2] != 'A'] + text[len(text)-1:]
	for name, c := range map[string]struct {
		by            *auth.Sessions
		account, text string
		after         time.Duration
		ok            bool
	}{
		"another member":  {same, "111122223333", text, 23 * time.Hour, true},
		"another account": {same, "444455556666", text, 0, false},
		"another secret":  {other, "111122223333", text, 0, false},
		"too late":        {same, "111122223333", text, 24 * time.Hour, false},
		"changed":         {same, "111122223333", last, 0, false},
		"with a newline":  {same, "111122223333", text[:30] + "\n" + text[30:], 0, false},
		"cut":             {same, "111122223333", text[:20], 0, false},
		"without a word":  {same, "111122223333", strings.TrimPrefix(text, auth.MessagePrefix), 0, false},
		"nothing":         {same, "111122223333", "", 0, false},
	} {
		if plain, ok := c.by.DecodeMessage(c.account, c.text, now.Add(c.after)); ok != c.ok || ok && string(plain) != "why" {
			t.Errorf("%s: %q, %v", name, plain, ok)
		}
	}
}
