package arch_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// breach is a place that breaks a rule.
type breach struct {
	where string // a path, or PATH:FUNCTION
	size  int    // for rules with a limit
	what  string
}

// exception excuses the breaches of a rule at one place, up to a limit.
type exception struct {
	where  string
	limit  int
	reason string
}

// check fails for every breach that exceptions.txt does not excuse, and for every exception that excuses nothing.
func check(t *testing.T, rule string, breaches []breach) {
	t.Helper()
	excused := exceptions(t)[rule]
	used := map[string]int{}
	for _, b := range breaches {
		e, ok := excused[b.where]
		if !ok || b.size > e.limit {
			t.Errorf("%s: %s", b.where, b.what)
			continue
		}
		used[b.where] = max(used[b.where], b.size)
	}
	for _, where := range slices.Sorted(maps.Keys(excused)) {
		size, ok := used[where]
		if !ok && !slices.ContainsFunc(breaches, func(b breach) bool { return b.where == where }) {
			t.Errorf("exceptions.txt: %s %s is not needed any more", rule, where)
		}
		if e := excused[where]; ok && e.limit > size+size/5 {
			t.Errorf("exceptions.txt: %s %s has shrunk to %d: lower its limit of %d", rule, where, size, e.limit)
		}
	}
}

// rules are the names that exceptions.txt may use: those of the tests that call check.
var rules = []string{"import", "listen", "comment", "sleep", "context", "file", "function", "variable", "blank"} //nolint:gochecknoglobals // a constant

// exceptions are the lines of exceptions.txt, by rule and place: RULE PLACE LIMIT REASON.
func exceptions(t *testing.T) map[string]map[string]exception {
	t.Helper()
	text, err := os.ReadFile("exceptions.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]exception{}
	for n, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rule, e, err := parseException(line)
		if err != nil {
			t.Fatalf("exceptions.txt:%d: %v", n+1, err)
		}
		if out[rule] == nil {
			out[rule] = map[string]exception{}
		}
		out[rule][e.where] = e
	}
	return out
}

func parseException(line string) (rule string, e exception, err error) {
	f := strings.Fields(line)
	if len(f) < 6 {
		return "", e, fmt.Errorf("want RULE PLACE LIMIT and a reason in words, got %q", line)
	}
	if !slices.Contains(rules, f[0]) {
		return "", e, fmt.Errorf("no rule %q: there are %v", f[0], rules)
	}
	limit := 0
	if f[2] != "-" {
		if limit, err = strconv.Atoi(f[2]); err != nil {
			return "", e, err
		}
	}
	return f[0], exception{where: f[1], limit: limit, reason: strings.Join(f[3:], " ")}, nil
}
