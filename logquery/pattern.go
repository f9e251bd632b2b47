package logquery

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Pattern is a filter pattern. The zero value matches everything.
type Pattern struct {
	terms   []term
	json    expression
	columns *columns
}

// ParsePattern reads a filter pattern. Its errors are for the caller, and say what is wrong.
func ParsePattern(text string) (*Pattern, error) {
	text = strings.TrimSpace(text)
	var p Pattern
	var err error
	switch {
	case text == "":
	case strings.HasPrefix(text, "{"):
		p.json, err = parseJSONPattern(text)
	case strings.HasPrefix(text, "["):
		p.columns, err = parseColumns(text)
	default:
		p.terms, err = parseTerms(text)
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// Match says whether an event's message is one that the pattern is about.
func (p *Pattern) Match(message string) bool {
	switch {
	case p.json != nil:
		doc, ok := parseDocument(message)
		return ok && p.json.holds(doc.find)
	case p.columns != nil:
		_, ok := p.columns.match(message)
		return ok
	}
	return matchTerms(p.terms, message)
}

// Extract says what the pattern's fields are in a message that it matches: "$.latency" or "$bytes" to the value. It is false for
// one that it does not match.
func (p *Pattern) Extract(message string) (map[string]string, bool) {
	switch {
	case p.json != nil:
		doc, ok := parseDocument(message)
		if !ok || !p.json.holds(doc.find) {
			return nil, false
		}
		values := map[string]string{}
		p.json.selectors(func(s string) {
			for _, v := range doc.find(s) {
				values[s] = v.text
			}
		})
		return values, true
	case p.columns != nil:
		return p.columns.match(message)
	}
	return map[string]string{}, matchTerms(p.terms, message)
}

// Columns says whether a message matches, and if the pattern is about columns what is in them, by their names: "$ip", or "$1" of one
// without a name.
func (p *Pattern) Columns(message string) (map[string]string, bool) {
	if p.columns == nil {
		return nil, p.Match(message)
	}
	return p.columns.match(message)
}

// A term of a pattern for plain text.
type term struct {
	text     string
	regex    *regexp.Regexp // instead of text
	optional bool           // ?term
	excluded bool           // -term
}

func (t *term) in(message string) bool {
	if t.regex != nil {
		return t.regex.MatchString(message)
	}
	return strings.Contains(message, t.text)
}

// matchTerms: all terms are there, and no excluded one. Optional ones matter only if there are no others: then one of them has
// to be there [D].
func matchTerms(terms []term, message string) bool {
	plain, optional, some := false, false, false
	for i := range terms {
		t := &terms[i]
		switch {
		case t.optional:
			optional = true
			some = some || t.in(message)
		case t.in(message) == t.excluded:
			return false
		default:
			plain = true
		}
	}
	return plain || !optional || some
}

func parseTerms(text string) ([]term, error) {
	var terms []term
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var t term
		switch text[0] {
		case '?':
			t.optional, text = true, text[1:]
		case '-':
			t.excluded, text = true, text[1:]
		}
		rest, err := t.parse(text)
		if err != nil {
			return nil, err
		}
		terms, text = append(terms, t), rest
	}
	return terms, nil
}

func (t *term) parse(text string) (rest string, err error) {
	switch {
	case strings.HasPrefix(text, `"`):
		t.text, rest, err = quoted(text)
		return rest, err
	case strings.HasPrefix(text, "%"):
		t.regex, rest, err = regex(text)
		return rest, err
	}
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 {
		end = len(text)
	}
	t.text, rest = text[:end], text[end:]
	if t.text == "" || strings.ContainsFunc(t.text, func(r rune) bool { return !wordRune(r) }) {
		return "", fmt.Errorf("Invalid character(s) in term '%s'", t.text) // AWS's words [O]
	}
	return rest, nil
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// quoted reads a text in double quotes, in which a backslash takes the next character as it is.
func quoted(text string) (inside, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return "", "", fmt.Errorf("a quote in the filter pattern is not closed")
}

// regex reads a regular expression between percent signs.
func regex(text string) (*regexp.Regexp, string, error) {
	end := strings.IndexByte(text[1:], '%')
	if end < 0 {
		return nil, "", fmt.Errorf("a regular expression in the filter pattern is not closed with %%")
	}
	re, err := regexp.Compile(text[1 : end+1])
	if err != nil {
		return nil, "", fmt.Errorf("invalid regular expression in the filter pattern: %w", err)
	}
	return re, text[end+2:], nil
}
