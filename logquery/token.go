package logquery

import (
	"fmt"
	"strings"
	"unicode"
)

// QueryError says what of a query cannot be understood, and where.
type QueryError struct {
	Message    string
	Start, End int // characters of the query
}

func (e *QueryError) Error() string { return e.Message }

type tokenKind int

const (
	endToken tokenKind = iota
	nameToken
	textToken
	numberToken
	regexToken
	symbolToken
)

type token struct {
	kind       tokenKind
	text       string // without quotes
	start, end int
}

// tokens cuts a query. A "/" begins a regular expression where a value may begin after like, =~ or parse.
func tokens(q string) ([]token, error) {
	var all []token
	for i := 0; i < len(q); {
		c := q[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '#': // a comment
			for i < len(q) && q[i] != '\n' {
				i++
			}
		case c == '"' || c == '\'' || c == '`' || c == '/' && regexMayBegin(all):
			t, err := delimited(q, i)
			if err != nil {
				return nil, err
			}
			all, i = append(all, t), t.end
		default:
			t := plainToken(q, i)
			all, i = append(all, t), t.end
		}
	}
	return append(all, token{kind: endToken, start: len(q), end: len(q)}), nil
}

func regexMayBegin(before []token) bool {
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	if last.text == "like" || last.text == "=~" || last.text == "parse" || last.text == "," && last.kind == symbolToken {
		return true
	}
	return len(before) > 1 && before[len(before)-2].text == "parse"
}

func delimited(q string, at int) (token, error) {
	quote := q[at]
	kind := map[byte]tokenKind{'`': nameToken, '/': regexToken}[quote]
	if kind == endToken {
		kind = textToken
	}
	var b strings.Builder
	for i := at + 1; i < len(q); i++ {
		if q[i] == '\\' && i+1 < len(q) {
			if i++; quote == '/' && q[i] != '/' || quote != '/' && q[i] != quote && q[i] != '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(q[i])
			continue
		}
		if q[i] == quote {
			return token{kind, b.String(), at, i + 1}, nil
		}
		b.WriteByte(q[i])
	}
	return token{}, &QueryError{fmt.Sprintf("unterminated %c", quote), at, len(q)}
}

func plainToken(q string, at int) token {
	rest := q[at:]
	is := func(f func(rune) bool) int {
		if n := strings.IndexFunc(rest, func(r rune) bool { return !f(r) }); n >= 0 {
			return n
		}
		return len(rest)
	}
	digit := func(r rune) bool { return r == '.' || unicode.IsDigit(r) }
	word := func(r rune) bool { return wordRune(r) || r == '@' || r == '.' || r == '$' }
	if n := is(digit); n > 0 && rest[0] != '.' {
		if m := is(word); m > n { // 5m of bin(5m)
			return token{nameToken, rest[:m], at, at + m}
		}
		return token{numberToken, rest[:n], at, at + n}
	}
	if n := is(word); n > 0 {
		return token{nameToken, rest[:n], at, at + n}
	}
	for _, s := range []string{"!=", "<=", ">=", "=~", "&&", "||"} {
		if strings.HasPrefix(rest, s) {
			return token{symbolToken, s, at, at + 2}
		}
	}
	n := max(1, strings.IndexFunc(rest[1:], func(rune) bool { return true })+1)
	return token{symbolToken, rest[:n], at, at + n}
}
