package acs_test

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
)

func TestJoinToken(t *testing.T) {
	token := acs.JoinToken{KeyID: "RSNODE1", Secret: "s/+=\"ü", Region: "eu-west-1"}
	word := token.String()
	if strings.ContainsAny(word, " \t\"'$&=/") {
		t.Errorf("not one word for a shell: %s", word)
	}
	for _, in := range []string{word, " " + word + "\n"} {
		if got, err := acs.ParseJoinToken(in); err != nil || got != token {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
	for name, in := range map[string]string{
		"nothing": "", "another word": "hello", "no prefix": strings.TrimPrefix(word, "rsjoin1."), "cut": word[:len(word)-3], "no JSON": "rsjoin1.aGVsbG8",
		"no secret": acs.JoinToken{KeyID: "k", Region: "r"}.String(), "no key": acs.JoinToken{Secret: "s", Region: "r"}.String(),
		"no Region": acs.JoinToken{KeyID: "k", Secret: "s"}.String(),
	} {
		if got, err := acs.ParseJoinToken(in); err == nil || got != (acs.JoinToken{}) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func FuzzParseJoinToken(f *testing.F) {
	f.Add(acs.JoinToken{KeyID: "k", Secret: "s", Region: "r"}.String())
	f.Add("rsjoin1.e30")
	f.Fuzz(func(t *testing.T, in string) {
		token, err := acs.ParseJoinToken(in)
		if err != nil {
			return
		}
		if again, err := acs.ParseJoinToken(token.String()); err != nil || again != token {
			t.Errorf("%q is %+v, which comes back as %+v, %v", in, token, again, err)
		}
	})
}
