package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FileError is a mistake in a file, with what was expected in its place.
type FileError struct {
	Line int // 0 if it is in no line, as in an event of the command line
	Msg  string
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.Msg
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
}

// wrong is a mistake at a node of the file.
func wrong(n *yaml.Node, format string, args ...any) error {
	return &FileError{n.Line, fmt.Sprintf(format, args...)}
}

// at gives an error the line of a node, unless it has one.
func at(n *yaml.Node, err error) error {
	if _, ok := errors.AsType[*FileError](err); ok || err == nil {
		return err
	}
	return &FileError{n.Line, err.Error()}
}

// member is a member of a mapping and how its value is read.
type member struct {
	name string
	read func(*yaml.Node) error
}

// members reads a mapping that may have the members, each once.
func members(n *yaml.Node, what string, ms ...member) error {
	return mapping(n, what, func(key, value *yaml.Node) error {
		i := slices.IndexFunc(ms, func(m member) bool { return m.name == key.Value })
		if i < 0 {
			var names []string
			for _, m := range ms {
				names = append(names, m.name)
			}
			return wrong(key, "%s: %q: expected one of %s", what, key.Value, strings.Join(names, ", "))
		}
		return at(value, ms[i].read(value))
	})
}

// mapping yields the keys and values of a mapping, in the order of the file. An empty value is an empty mapping.
func mapping(n *yaml.Node, what string, yield func(key, value *yaml.Node) error) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return wrong(n, "%s: expected a mapping such as {name: value}, not %s", what, kindOf(n))
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			return wrong(key, "%s: %q stands here for the second time", what, key.Value)
		}
		seen[key.Value] = true
		if err := yield(key, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	case yaml.ScalarNode:
		return fmt.Sprintf("%q", n.Value)
	}
	return "an alias"
}

// text reads a single value with f.
func text[T any](dst *T, f func(string) (T, error)) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return fmt.Errorf("expected a single value, not %s", kindOf(n))
		}
		v, err := f(n.Value)
		if err == nil {
			*dst = v
		}
		return err
	}
}

// list reads a list of single values with f; one value stands for a list of one.
func list[T any](dst *[]T, f func(string) (T, error)) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		items := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			items = n.Content
		}
		for _, item := range items {
			var v T
			if err := text(&v, f)(item); err != nil {
				return at(item, err)
			}
			*dst = append(*dst, v)
		}
		return nil
	}
}

// plain reads any text.
func plain(s string) (string, error) { return s, nil }

// named reads a name, which must be a word.
func named(s string) (string, error) {
	ok := s != "" && len(s) <= 100 && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
	if !ok {
		return "", fmt.Errorf("%q: expected a name of letters, digits, - and _", s)
	}
	return s, nil
}

// number reads a whole number from least to most.
func number[N int | int32 | int64](least, most int64) func(string) (N, error) {
	return func(s string) (N, error) {
		n, err := whole(s, least, most)
		return N(n), err
	}
}

// oneOf reads one of the words.
func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("%q: expected one of %s", s, strings.Join(words, ", "))
		}
		return s, nil
	}
}
