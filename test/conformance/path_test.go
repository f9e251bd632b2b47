//go:build e2e

package conformance_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// pick returns the value at a path like tasks[0].containers[name=web].exitCode; [=x] is the element x of
// a list of texts, and "length" at the end counts a list.
func pick(v any, path string) (any, bool) {
	for _, step := range steps(path) {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			if step == "length" {
				v = json.Number(strconv.Itoa(len(at)))
				continue
			}
			i := position(at, step)
			if i < 0 {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// steps cuts a path into names, indices and name=value selectors; those in brackets may hold dots.
func steps(path string) (out []string) {
	for path != "" {
		switch i := strings.IndexAny(path, ".["); {
		case i < 0:
			return append(out, path)
		case i > 0:
			out, path = append(out, path[:i]), path[i:]
		case path[0] == '.':
			path = path[1:]
		default:
			inside, rest, _ := strings.Cut(path[1:], "]")
			out, path = append(out, inside), rest
		}
	}
	return out
}

// position finds the element that an index or a selector means, -1 if there is none.
func position(list []any, step string) int {
	if i, err := strconv.Atoi(step); err == nil && i < len(list) {
		return i
	}
	name, want, ok := strings.Cut(step, "=")
	for i, e := range list {
		if ok && name == "" && show(e) == want {
			return i
		}
		if m, is := e.(map[string]any); ok && is && m[name] != nil && show(m[name]) == want {
			return i
		}
	}
	return -1
}

// show is a value as a script writes it: text bare, the rest as compact JSON.
func show(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// matches reports whether got is want (as JSON, if want is a list or an object), or matches it all if want is "~" and a
// regular expression.
func matches(got, want string) bool {
	var v any
	d := json.NewDecoder(strings.NewReader(want))
	d.UseNumber()
	if want != "" && (want[0] == '[' || want[0] == '{') && d.Decode(&v) == nil {
		want = show(v)
	}
	if expr, ok := strings.CutPrefix(want, "~"); ok {
		return regexp.MustCompile(`(?s)^(?:` + expr + `)$`).MatchString(got)
	}
	return got == want
}
