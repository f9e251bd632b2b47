package policy

import (
	"strings"
	"unicode/utf8"
)

// The wildcards of a compiled pattern. These bytes are in no UTF-8 text, so what stands literally in a document, or comes in by
// a variable, is never mistaken for a wildcard.
const (
	star = 0xFE // any characters, also none, and also ":" and "/"
	one  = 0xFF // exactly one character
)

type shape int

const (
	exact  shape = iota
	prefix       // the only wildcard is a star at the end
	glob
)

// pattern is a compiled text with wildcards and, in version 2012-10-17, variables.
type pattern struct {
	text   string // wildcards as star and one; a prefix has no star
	shape  shape
	pieces []piece // if there are variables; text and shape say nothing then
}

// piece of a text with variables: literal (with wildcards), or the value of a key.
type piece struct {
	literal     string
	key         string // lower case; "" for a literal
	otherwise   string // for a key that the request does not have
	hasFallback bool
}

// syntax says which characters of a text mean more than themselves.
type syntax struct{ wildcards, variables bool }

func compile(text string, s syntax) pattern {
	var p pattern
	var literal strings.Builder
	for text != "" {
		if s.variables && strings.HasPrefix(text, "${") {
			if v, rest, ok := variable(text); ok {
				text = rest
				if v.key == "" {
					literal.WriteString(v.literal)
					continue
				}
				if literal.Len() > 0 {
					p.pieces = append(p.pieces, piece{literal: literal.String()})
					literal.Reset()
				}
				p.pieces = append(p.pieces, v)
				continue
			}
		}
		literal.WriteByte(marked(text[0], s.wildcards))
		text = text[1:]
	}
	switch {
	case p.pieces == nil:
		p.text, p.shape = shaped(literal.String())
	case literal.Len() > 0:
		p.pieces = append(p.pieces, piece{literal: literal.String()})
	}
	return p
}

func marked(b byte, wildcards bool) byte {
	switch {
	case wildcards && b == '*':
		return star
	case wildcards && b == '?':
		return one
	}
	return b
}

func shaped(text string) (string, shape) {
	switch at := indexWild(text); {
	case at < 0:
		return text, exact
	case at == len(text)-1 && text[at] == star:
		return text[:at], prefix
	}
	return text, glob
}

// indexWild is where the first wildcard is, -1 if there is none. (strings.IndexAny works on runes, and these bytes are none.)
func indexWild(text string) int {
	for i := range len(text) {
		if text[i] >= star {
			return i
		}
	}
	return -1
}

// variable reads ${key}, ${key, 'fallback'}, ${*}, ${?} or ${$} from the beginning of text. The last three are literals.
func variable(text string) (v piece, rest string, ok bool) {
	name, rest, ok := strings.Cut(text[len("${"):], "}")
	if !ok || name == "" {
		return piece{}, "", false
	}
	if name == "*" || name == "?" || name == "$" {
		return piece{literal: name}, rest, true
	}
	name, fallback, has := strings.Cut(name, ",")
	v = piece{key: strings.ToLower(strings.TrimSpace(name))}
	if has {
		fallback = strings.TrimSpace(fallback)
		if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
			return piece{}, "", false
		}
		v.otherwise, v.hasFallback = fallback[1:len(fallback)-1], true
	}
	return v, rest, v.key != ""
}

// matches says whether the subject is of the pattern, and whether all variables had values. Without one it does not match.
func (p *pattern) matches(subject string, c *Context) (matched, resolved bool) {
	if p.pieces != nil {
		var room [160]byte
		text, ok := p.expand(room[:0], c)
		return ok && globbed(text, subject, false), ok
	}
	switch p.shape {
	case exact:
		return p.text == subject, true
	case prefix:
		return strings.HasPrefix(subject, p.text), true
	}
	return globbed(p.text, subject, false), true
}

// expand appends the pattern with the values of its variables to buf. A key without a value, or with several, has none to give.
func (p *pattern) expand(buf []byte, c *Context) (text []byte, ok bool) {
	if p.pieces == nil {
		buf = append(buf, p.text...)
		if p.shape == prefix {
			buf = append(buf, star)
		}
		return buf, true
	}
	for i := range p.pieces {
		switch v := &p.pieces[i]; {
		case v.key == "":
			buf = append(buf, v.literal...)
		default:
			switch values := c.get(v.key); {
			case len(values) == 1 && indexWild(values[0]) < 0:
				buf = append(buf, values[0]...)
			case len(values) == 0 && v.hasFallback:
				buf = append(buf, v.otherwise...)
			default:
				return buf, false
			}
		}
	}
	return buf, true
}

// folded matches an action: its pattern is in lower case, and has no variables.
func (p *pattern) folded(action string) bool {
	switch p.shape {
	case exact:
		return len(action) == len(p.text) && foldedPrefix(action, p.text)
	case prefix:
		return foldedPrefix(action, p.text)
	}
	return globbed(p.text, action, true)
}

func foldedPrefix(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if lower[i] != lowered(s[i]) {
			return false
		}
	}
	return true
}

func lowered(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// globbed matches a pattern with wildcards: when it gets stuck it goes back to the last star and gives it one more character. So
// it takes len(p)*len(s) steps at most, whatever a document or a request contains.
func globbed[P string | []byte](p P, s string, fold bool) bool {
	i, k := 0, 0
	lastStar, again := -1, 0
	for k < len(s) {
		switch {
		case i < len(p) && p[i] == star:
			lastStar, again = i, k
			if i++; i == len(p) {
				return true
			}
			continue
		case i < len(p) && p[i] == one:
			_, n := utf8.DecodeRuneInString(s[k:])
			i, k = i+1, k+n
			continue
		case i < len(p) && (p[i] == s[k] || fold && p[i] == lowered(s[k])):
			i, k = i+1, k+1
			continue
		case lastStar < 0:
			return false
		}
		_, n := utf8.DecodeRuneInString(s[again:])
		i, again = lastStar+1, again+n
		if p[i] < star && !fold { // go on where the character behind the star is, and not one by one
			at := strings.IndexByte(s[again:], p[i])
			if at < 0 {
				return false
			}
			again += at
		}
		k = again
	}
	for i < len(p) && p[i] == star {
		i++
	}
	return i == len(p)
}
