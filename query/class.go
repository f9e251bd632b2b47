package query

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ranges are characters: pairs of the first and the last one of a range, in order and apart.
type ranges []rune

// String is the inside of an RE2 class.
func (s ranges) String() string {
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		fmt.Fprintf(&b, `\x{%x}-\x{%x}`, s[i], s[i+1])
	}
	return b.String()
}

// not are all other characters.
func (s ranges) not() ranges {
	var out ranges
	from := rune(0)
	for i := 0; i < len(s); i += 2 {
		if s[i] > from {
			out = append(out, from, s[i]-1)
		}
		from = s[i+1] + 1
	}
	return append(out, from, utf8.MaxRune)
}

// shorthand is what \d and its like stand for in Java; the capitals stand for the others.
func shorthand(r rune) (s ranges, ok bool) {
	switch r {
	case 'd', 'D':
		s = ranges{'0', '9'}
	case 'w', 'W':
		s = ranges{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}
	case 's', 'S':
		s = ranges{'\t', '\r', ' ', ' '}
	case 'h', 'H':
		s = ranges{'\t', '\t', ' ', ' ', 0xa0, 0xa0, 0x1680, 0x1680, 0x180e, 0x180e, 0x2000, 0x200a, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000}
	case 'v', 'V':
		s = ranges{'\n', '\r', 0x85, 0x85, 0x2028, 0x2029}
	default:
		return nil, false
	}
	if r < 'a' {
		s = s.not()
	}
	return s, true
}

// posix are the \p classes that are about ASCII in Java.
func posix(name string) (ranges, bool) {
	s, ok := map[string]ranges{
		"Lower": {'a', 'z'}, "Upper": {'A', 'Z'}, "ASCII": {0, 0x7f}, "Alpha": {'A', 'Z', 'a', 'z'}, "Digit": {'0', '9'},
		"Alnum": {'0', '9', 'A', 'Z', 'a', 'z'}, "Punct": {'!', '/', ':', '@', '[', '`', '{', '~'}, "Graph": {'!', '~'},
		"Print": {' ', '~'}, "Blank": {'\t', '\t', ' ', ' '}, "Cntrl": {0, 0x1f, 0x7f, 0x7f},
		"XDigit": {'0', '9', 'A', 'F', 'a', 'f'}, "Space": {'\t', '\r', ' ', ' '},
	}[name]
	return s, ok
}

// bracket reads a class outside of others.
func (t *translator) bracket(m modes) error {
	negated, items, err := t.class(m)
	if err != nil {
		return err
	}
	if negated {
		items = "^" + items
	}
	t.out.WriteString("[" + items + "]")
	return nil
}

// class reads "[...]", and returns what is in it, in RE2's terms. A class in a class is a union with it, which Java's
// versions understand differently if either is negated.
func (t *translator) class(m modes) (negated bool, items string, err error) {
	if t.depth++; t.depth > maxDepth {
		return false, "", t.fail("the pattern's classes nest deeper than %d", maxDepth)
	}
	defer func() { t.depth-- }()
	open := t.pos
	t.pos++
	if t.next('^') {
		negated = true
		t.pos++
	}
	for t.pos < len(t.in) {
		item, from := "", t.pos
		switch {
		case t.next(']') && items != "":
			t.pos++
			return negated, items, nil
		case t.next('&') && t.ahead(1, '&'):
			return false, "", t.fail("intersections of classes are not supported in patterns")
		case t.next('['):
			var inner bool
			if inner, item, err = t.class(m); err == nil && (inner || negated) {
				t.pos = from
				err = t.fail("unions with negated classes are not supported in patterns")
			}
		default:
			item, err = t.classItem(m)
		}
		if err != nil {
			return false, "", err
		}
		items += item
	}
	t.pos = open
	return false, "", t.fail("the [ of the pattern is not closed")
}

// classItem reads a character, a range of them or an escape.
func (t *translator) classItem(m modes) (string, error) {
	from := t.pos
	low, items, err := t.classChar(m)
	if err != nil || items != "" {
		return items, err
	}
	high := low
	if t.next('-') && t.pos+1 < len(t.in) && !t.ahead(1, ']') && !t.ahead(1, '[') {
		t.pos++
		if high, items, err = t.classChar(m); err != nil {
			return "", err
		}
		if items != "" || high < low {
			t.pos = from
			return "", t.fail("a class of the pattern has an illegal range")
		}
	}
	out := ranges{low, high}.String()
	if m.fold {
		out += otherCase(low, high, 'a', 'z') + otherCase(low, high, 'A', 'Z')
	}
	return out, nil
}

// classChar reads one character of a class: it stands for itself if there are no items.
func (t *translator) classChar(m modes) (r rune, items string, err error) {
	if t.next('\\') {
		return t.escape(m)
	}
	r = t.in[t.pos].r
	t.pos++
	return r, "", nil
}

// otherCase is the part of the range that is within letters of one case, in the other one.
func otherCase(low, high, first, last rune) string {
	low, high = max(low, first), min(high, last)
	if low > high {
		return ""
	}
	return ranges{low ^ 0x20, high ^ 0x20}.String()
}

// property reads what follows \p or \P: the classes of ASCII, general categories and scripts.
func (t *translator) property(m modes) (string, error) {
	from := t.pos
	negated := t.in[t.pos+1].r == 'P'
	var name strings.Builder
	for t.pos += 2; t.peek() >= 0; t.pos++ {
		r := t.peek()
		if name.WriteRune(r); name.String()[0] != '{' || r == '}' {
			t.pos++
			break
		}
	}
	inner, braced := strings.CutPrefix(name.String(), "{")
	inner, closed := strings.CutSuffix(inner, "}")
	if braced != closed {
		inner = ""
	}
	if s, ok := posix(inner); ok && braced {
		if !m.fold || inner != "Lower" && inner != "Upper" {
			if negated {
				s = s.not()
			}
			return s.String(), nil
		}
	} else if re2 := unicodeProperty(inner); re2 != "" && (!m.fold || !slices.Contains([]string{"Lu", "Ll", "Lt", "LC"}, re2)) {
		if negated {
			return `\P{` + re2 + `}`, nil
		}
		return `\p{` + re2 + `}`, nil
	}
	t.pos = from
	if m.fold {
		return "", t.fail(`\p%s together with the flag i is not supported in patterns`, name.String())
	}
	return "", t.fail(`\p%s is not supported in patterns`, name.String())
}

// unicodeProperty is RE2's name of a general category or script, "" if it has none.
func unicodeProperty(java string) string {
	key, value, given := strings.Cut(java, "=")
	if !given {
		key, value = "", strings.TrimPrefix(java, "Is")
	}
	isScript := strings.EqualFold(key, "script") || strings.EqualFold(key, "sc") || !given && value != java
	isCategory := strings.EqualFold(key, "general_category") || strings.EqualFold(key, "gc") || !given
	if _, ok := unicode.Categories[value]; ok && isCategory && len(value) <= 2 {
		return value
	}
	if isScript {
		for name := range unicode.Scripts {
			if strings.EqualFold(name, value) {
				return name
			}
		}
	}
	return ""
}
