package logquery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// parseJSONPattern reads { $.a = 1 && ... }.
func parseJSONPattern(text string) (expression, error) {
	p := &parser{text: text[1:], selector: jsonSelector}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.take("}") || strings.TrimSpace(p.text) != "" {
		return nil, fmt.Errorf("the filter pattern does not end with } at '%s'", p.text)
	}
	return e, nil
}

// jsonSelector reads a selector: $.a.b[0]["c d"].
func jsonSelector(text string) (name, rest string, err error) {
	if !strings.HasPrefix(text, "$") {
		return "", "", fmt.Errorf("a selector in the filter pattern does not begin with $ at '%s'", text)
	}
	i := 1
	for i < len(text) && (text[i] == '.' || text[i] == '[') {
		if text[i] == '[' {
			end := strings.IndexByte(text[i:], ']')
			if end < 0 {
				return "", "", fmt.Errorf("a bracket in the filter pattern is not closed at '%s'", text[i:])
			}
			i += end + 1
			continue
		}
		begin := i + 1
		for i = begin; i < len(text) && !strings.ContainsRune(" \t\r\n=!<>()[].&|{},\"", rune(text[i])); i++ {
		}
		if i == begin {
			return "", "", fmt.Errorf("a name is missing in the filter pattern at '%s'", text[begin:])
		}
	}
	if i == 1 {
		return "", "", fmt.Errorf("a name is missing in the filter pattern at '%s'", text)
	}
	return text[:i], text[i:], nil
}

// A document is a message that is JSON.
type document struct{ root any }

// parseDocument: only objects have fields.
func parseDocument(message string) (document, bool) {
	if s := strings.TrimSpace(message); !strings.HasPrefix(s, "{") {
		return document{}, false
	}
	d := json.NewDecoder(strings.NewReader(message))
	d.UseNumber()
	var root map[string]any
	if d.Decode(&root) != nil {
		return document{}, false
	}
	return document{root}, true
}

// find follows a selector; [*] goes to every element.
func (d document) find(selector string) []val {
	at := []any{d.root}
	for path := selector[1:]; path != "" && len(at) > 0; {
		var step string
		step, path = nextStep(path)
		var next []any
		for _, v := range at {
			next = append(next, follow(v, step)...)
		}
		at = next
	}
	out := make([]val, 0, len(at))
	for _, v := range at {
		out = append(out, valOf(v))
	}
	return out
}

// nextStep cuts ".a", "[0]" or `["a"]` off a path; an index keeps its brackets.
func nextStep(path string) (step, rest string) {
	if path[0] == '[' {
		end := strings.IndexByte(path, ']')
		step, rest = path[:end+1], path[end+1:]
		if inner := strings.TrimSpace(step[1:end]); len(inner) >= 2 && (inner[0] == '"' || inner[0] == '\'') {
			return inner[1 : len(inner)-1], rest
		}
		return step, rest
	}
	path = path[1:]
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return path[:end], path[end:]
}

func follow(v any, step string) []any {
	switch v := v.(type) {
	case map[string]any:
		if next, ok := v[step]; ok {
			return []any{next}
		}
	case []any:
		index := strings.TrimSpace(strings.Trim(step, "[]"))
		if index == "*" {
			return v
		}
		if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(v) && strings.HasPrefix(step, "[") {
			return v[i : i+1]
		}
	}
	return nil
}

func valOf(v any) val {
	switch v := v.(type) {
	case nil:
		return val{isNull, "null"}
	case string:
		return val{isText, v}
	case bool:
		return val{isBool, strconv.FormatBool(v)}
	case json.Number:
		return val{isNumber, v.String()}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // of what was decoded from JSON
	return val{isOther, strings.TrimSpace(b.String())}
}
