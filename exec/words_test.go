package exec

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// [I] A command is split at blanks, with a shell's quotes and backslashes, and is no shell's otherwise.
func TestWords(t *testing.T) {
	for command, want := range map[string][]string{
		"":                             nil,
		"  ":                           nil,
		"/bin/sh":                      {"/bin/sh"},
		" ls  -la\t/ ":                 {"ls", "-la", "/"},
		`sh -c 'echo "$HOME" && ls'`:   {"sh", "-c", `echo "$HOME" && ls`},
		`sh -c "echo \"a\" \$B \n '"`:  {"sh", "-c", `echo "a" $B \n '`},
		`a\ b c\\d "" ''`:              {"a b", `c\d`, "", ""},
		`x='1 2'"3"4`:                  {"x=1 234"},
		"echo $HOME | cat; rm -rf *é ": {"echo", "$HOME", "|", "cat;", "rm", "-rf", "*é"},
	} {
		got, err := words(command)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", command, got, err)
		}
	}
	for _, command := range []string{`sh -c 'x`, `"`, `a\`} {
		if got, err := words(command); err == nil {
			t.Errorf("%s: %q", command, got)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`sh -c 'a b' "c"`)
	f.Fuzz(func(t *testing.T, command string) {
		got, err := words(command)
		if err != nil {
			return
		}
		quoted := make([]string, len(got))
		for i, w := range got {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		if again, err := words(strings.Join(quoted, " ")); err != nil || !slices.Equal(again, got) {
			t.Fatalf("%q comes back as %q, %v", got, again, err)
		}
	})
}

// A token is good for what it was made for, with the key that made it, until its end.
func TestToken(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	c := claim{Session: "s", Task: "a/r/c/t", Until: now.UnixMilli()}
	key := []byte("key")
	token := sign(key, c)
	if got, err := verify(key, token, now); err != nil || got != c {
		t.Errorf("got %+v, %v", got, err)
	}
	text, mac, _ := strings.Cut(token, ".")
	other, _, _ := strings.Cut(sign(key, claim{Session: "other", Task: c.Task, Until: c.Until}), ".")
	for name, token := range map[string]string{
		"nothing": "", "no seal": text, "an empty seal": text + ".", "another's seal": other + "." + mac, "another key": sign([]byte("x"), c),
		"no base64": "!." + mac, "more": token + "A",
	} {
		if _, err := verify(key, token, now); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := verify(key, token, now.Add(time.Millisecond)); err == nil {
		t.Error("too old: no error")
	}
}
