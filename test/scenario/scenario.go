// Package scenario runs scenario files: a script in a tiny language that a test defines, and the transcript of what it
// led to. Deciders are tested with them: a reviewer reads the diff of a transcript instead of assertions.
//
// It must not know what is decided: verbs, rows and the wording of transcripts belong to the test that uses it.
package scenario

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Verbs are the commands of a language, by their first word. One set is made for each file and keeps its state.
type Verbs map[string]func(*Call)

// Call is one line of a script: VERB ARG... KEY=VALUE... A verb that does not use all of them fails the test.
type Call struct {
	*testing.T
	verb    string
	args    []string
	options map[string]string
	out     strings.Builder
}

var update = flag.Bool("update", false, "rewrite the transcripts of scenario files") //nolint:gochecknoglobals // a flag

const divider = "----\n"

// Run plays every file of the pattern ("testdata/*.txt"): a script, a line "----", and its transcript, in which each line
// that said something is followed by what it said. Empty lines and those that begin with "#" are skipped. -update rewrites
// the transcripts.
func Run(t *testing.T, pattern string, verbs func(*testing.T) Verbs) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			script, want, _ := strings.Cut(string(data), divider)
			got := Play(t, script, verbs(t))
			switch {
			case got == want:
			case *update:
				if err := os.WriteFile(file, []byte(script+divider+got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s: the transcript differs (-update rewrites it)\n%s", file, diff(want, got))
			}
		})
	}
}

// Play runs one script and returns its transcript.
func Play(t *testing.T, script string, verbs Verbs) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		c := parse(t, line)
		verb, ok := verbs[c.verb]
		if !ok {
			t.Fatalf("%q: no such verb; there are %v", line, slices.Sorted(maps.Keys(verbs)))
		}
		verb(c)
		if len(c.args) > 0 || len(c.options) > 0 {
			t.Fatalf("%q: nobody asked for %q %v", line, c.args, c.options)
		}
		if c.out.Len() > 0 {
			fmt.Fprintf(&out, "> %s\n%s", line, c.out.String())
		}
	}
	return out.String()
}

func parse(t *testing.T, line string) *Call {
	words := strings.Fields(line)
	c := &Call{T: t, verb: words[0], options: map[string]string{}}
	for _, w := range words[1:] {
		if key, value, ok := strings.Cut(w, "="); ok {
			c.options[key] = value
		} else {
			c.args = append(c.args, w)
		}
	}
	return c
}

// Printf adds a line to the transcript.
func (c *Call) Printf(format string, args ...any) { fmt.Fprintf(&c.out, "  "+format+"\n", args...) }

// Arg takes the next argument, "" if there is none.
func (c *Call) Arg() string {
	if len(c.args) == 0 {
		return ""
	}
	a := c.args[0]
	c.args = c.args[1:]
	return a
}

// Text takes the option, or otherwise if the line has none.
func (c *Call) Text(key, otherwise string) string {
	v, ok := c.options[key]
	if !ok {
		return otherwise
	}
	delete(c.options, key)
	return v
}

// List takes an option of the form a,b,c.
func (c *Call) List(key string) []string {
	if v := c.Text(key, ""); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// Rest takes all options that are left: of a verb that lets its caller name them.
func (c *Call) Rest() map[string]string {
	rest := c.options
	c.options = nil
	return rest
}

// Int takes an option that is a number.
func (c *Call) Int(key string, otherwise int64) int64 {
	n, err := strconv.ParseInt(c.Text(key, strconv.FormatInt(otherwise, 10)), 10, 64)
	if err != nil {
		c.Fatalf("%s: %s: %v", c.verb, key, err)
	}
	return n
}

// Duration takes the next argument, "30s".
func (c *Call) Duration() time.Duration {
	d, err := time.ParseDuration(c.Arg())
	if err != nil {
		c.Fatalf("%s: %v", c.verb, err)
	}
	return d
}

// diff shows both transcripts from the first line in which they differ.
func diff(want, got string) string {
	w, g := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	n := 0
	for n < min(len(w), len(g)) && w[n] == g[n] {
		n++
	}
	return fmt.Sprintf("line %d\n--- want\n%s--- got\n%s", n+1, strings.Join(w[n:], ""), strings.Join(g[n:], ""))
}
