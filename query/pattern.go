package query

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// compilePattern makes of a regular expression of java.util.regex one of RE2 that matches a text if the former matches the
// whole of it (SEMANTICS §5.3) [D]. What RE2 cannot do is refused, and so is what Java's versions disagree on [I]. Two things
// differ, but not for values that attributes can have: $ does not match before a line end at the end of the text, and \b is
// about letters of ASCII only, as in Java since 19. The error is a *SyntaxError whose offset is within the pattern.
func compilePattern(java string) (*regexp.Regexp, error) {
	t := translator{in: unquote(java), end: len(java), names: map[string]bool{}}
	if err := t.alternatives(modes{}); err != nil {
		return nil, err
	}
	re2 := `\A(?:` + t.out.String() + `)\z`
	parsed, err := syntax.Parse(re2, syntax.Perl)
	if err == nil && size(parsed) > maxPattern {
		err = errors.New("its repetitions make it too large")
	}
	if err != nil {
		return nil, &SyntaxError{Msg: fmt.Sprintf("the pattern is not supported: %v,", err)}
	}
	return regexp.MustCompile(re2), nil
}

// maxPattern is how many steps a pattern may have, its repetitions written out [I].
const maxPattern = 20_000

// size is how many steps the expression has with its repetitions written out.
func size(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += size(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// char is a character of a pattern. One that is quoted, between \Q and \E, stands for itself.
type char struct {
	r      rune
	at     int // its offset
	quoted bool
}

// unquote takes \Q and \E out of the pattern, as Java does before all else, in classes too.
func unquote(java string) []char {
	var out []char
	quoted := false
	for at := 0; at < len(java); {
		n := 1
		switch {
		case quoted && strings.HasPrefix(java[at:], `\E`), !quoted && strings.HasPrefix(java[at:], `\Q`):
			quoted = !quoted
			at += 2
			continue
		case !quoted && java[at] == '\\':
			n = 2 // what is escaped does not begin a quotation
		}
		for ; n > 0 && at < len(java); n-- {
			r, length := utf8.DecodeRuneInString(java[at:])
			out = append(out, char{r, at, quoted})
			at += length
		}
	}
	return out
}

// translator reads a Java pattern and writes RE2.
type translator struct {
	in    []char
	pos   int
	end   int // offset of the end
	out   strings.Builder
	depth int
	names map[string]bool // of groups
}

// modes are the flags in force.
type modes struct{ fold, dotAll bool }

// Classes of characters that RE2 has no name for, or another one.
const (
	notLineEnd = `[^\n\r\x{85}\x{2028}\x{2029}]`
	lineBreak  = `(?:\r\n|[\n\x0b\f\r\x{85}\x{2028}\x{2029}])`
)

// alternatives reads up to the end of the group, or of the pattern. The flags may change on the way.
func (t *translator) alternatives(m modes) error {
	if t.depth > maxDepth {
		return t.fail("the pattern's groups nest deeper than %d", maxDepth)
	}
	for t.pos < len(t.in) && !t.next(')') {
		var err error
		switch {
		case t.next('|'):
			t.out.WriteByte('|')
			t.pos++
			continue
		case t.next('('):
			var empty bool
			if empty, err = t.group(&m); err == nil && empty {
				continue
			}
		default:
			err = t.atom(m)
		}
		if err == nil {
			err = t.repetition()
		}
		if err != nil {
			return err
		}
	}
	if t.depth == 0 && t.pos < len(t.in) {
		return t.fail("the ) of the pattern closes nothing")
	}
	return nil
}

// atom reads what a repetition can follow, groups apart.
func (t *translator) atom(m modes) error {
	c := t.in[t.pos]
	if c.quoted {
		t.pos++
		t.literal(c.r, m)
		return nil
	}
	switch c.r {
	case '[':
		return t.bracket(m)
	case '\\':
		return t.escaped(m)
	case '?', '*', '+', '{':
		return t.fail("the %c of the pattern repeats nothing", c.r)
	}
	t.pos++
	switch {
	case c.r == '.' && m.dotAll:
		t.out.WriteString(`(?s:.)`)
	case c.r == '.':
		t.out.WriteString(notLineEnd)
	case c.r == '^':
		t.out.WriteString(`\A`)
	case c.r == '$':
		t.out.WriteString(`\z`)
	default:
		t.literal(c.r, m)
	}
	return nil
}

// literal writes a character that stands for itself, and under (?i), which is about ASCII in Java, for its other case.
func (t *translator) literal(r rune, m modes) {
	if m.fold && isLetter(r) {
		t.out.WriteString("[" + string(r) + string(r^0x20) + "]")
		return
	}
	t.out.WriteString(hex(r))
}

// escaped reads a backslash and what follows, outside of classes.
func (t *translator) escaped(m modes) error {
	if t.pos+1 < len(t.in) {
		re := ""
		switch t.in[t.pos+1].r {
		case 'b':
			if re = `\b`; t.pos+2 < len(t.in) && t.in[t.pos+2].r == '{' {
				return t.fail(`\b{g} is not supported in patterns`)
			}
		case 'B', 'A', 'z':
			re = `\` + string(t.in[t.pos+1].r)
		case 'Z':
			re = `\z`
		case 'R':
			re = lineBreak
		}
		if re != "" {
			t.out.WriteString(re)
			t.pos += 2
			return nil
		}
	}
	r, items, err := t.escape(m)
	switch {
	case err != nil:
		return err
	case items != "":
		t.out.WriteString("[" + items + "]")
	default:
		t.literal(r, m)
	}
	return nil
}

// peek is the next character with its special meaning, -1 if there is none.
func (t *translator) peek() rune {
	if t.pos == len(t.in) || t.in[t.pos].quoted {
		return -1
	}
	return t.in[t.pos].r
}

// next reports whether the character is next, with its special meaning.
func (t *translator) next(r rune) bool { return t.ahead(0, r) }

// ahead is next for the character n further on.
func (t *translator) ahead(n int, r rune) bool {
	return t.pos+n < len(t.in) && t.in[t.pos+n].r == r && !t.in[t.pos+n].quoted
}

// fail is the error that what is next is wrong.
func (t *translator) fail(format string, args ...any) error {
	at := t.end
	if t.pos < len(t.in) {
		at = t.in[t.pos].at
	}
	return &SyntaxError{Offset: at, Msg: fmt.Sprintf(format, args...)}
}

func isLetter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }

// hex writes a character so that it stands for itself everywhere in RE2.
func hex(r rune) string {
	if isLetter(r) || '0' <= r && r <= '9' {
		return string(r)
	}
	return fmt.Sprintf(`\x{%x}`, r)
}
