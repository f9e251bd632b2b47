package query

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escape reads a backslash and what follows, where one character is wanted or, as items of an RE2 class, several.
func (t *translator) escape(m modes) (r rune, items string, err error) {
	if t.pos+1 == len(t.in) {
		return 0, "", t.fail(`the pattern ends with a \`)
	}
	c := t.in[t.pos+1].r
	if s, ok := shorthand(c); ok {
		t.pos += 2
		return 0, s.String(), nil
	}
	switch c {
	case 'p', 'P':
		items, err = t.property(m)
		return 0, items, err
	case 'k', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return 0, "", t.fail("back-references are not supported in patterns")
	case 'x', 'u', '0', 'c':
		r, err = t.coded()
		return r, "", err
	}
	if r, ok := map[rune]rune{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'a': '\a', 'e': 0x1b}[c]; ok {
		t.pos += 2
		return r, "", nil
	}
	if isLetter(c) { // G, N and X have a meaning in Java, the others have none
		return 0, "", t.fail(`\%c is not supported in patterns`, c)
	}
	t.pos += 2
	return c, "", nil
}

// coded reads a character that is written as a number: \xhh, \x{h...h}, \uhhhh, \0ooo or \cX.
func (t *translator) coded() (rune, error) {
	from := t.pos
	c := t.in[t.pos+1].r
	t.pos += 2
	r, ok := rune(-1), false
	switch {
	case c == 'c' && t.peek() >= 0:
		r, ok = t.peek()^0x40, true
		t.pos++
	case c == '0':
		r, ok = t.octal()
	case c == 'x' && t.next('{'):
		t.pos++
		if r, ok = t.hexDigits(1, 6); ok {
			ok = t.next('}')
			t.pos++
		}
	case c == 'x':
		r, ok = t.hexDigits(2, 2)
	case c == 'u':
		if r, ok = t.hexDigits(4, 4); ok && utf16.IsSurrogate(r) && t.next('\\') && t.ahead(1, 'u') {
			t.pos += 2
			low, _ := t.hexDigits(4, 4)
			r = utf16.DecodeRune(r, low)
			ok = r != unicode.ReplacementChar
		}
	}
	if !ok || !utf8.ValidRune(r) {
		t.pos = from
		return 0, t.fail(`the pattern has an illegal \%c`, c)
	}
	return r, nil
}

// hexDigits reads at least least and at most most digits.
func (t *translator) hexDigits(least, most int) (r rune, ok bool) {
	n := 0
	for ; n < most; n++ {
		d := digit(t.peek())
		if d < 0 {
			break
		}
		r = r<<4 | d
		t.pos++
	}
	return r, n >= least
}

// octal reads one to three digits, the value at most 0377.
func (t *translator) octal() (r rune, ok bool) {
	n := 0
	for ; n < 3; n++ {
		d := digit(t.peek())
		if d < 0 || d > 7 || r<<3|d > 0o377 {
			break
		}
		r = r<<3 | d
		t.pos++
	}
	return r, n > 0
}

// digit is the value of a hexadecimal digit, -1 if it is none.
func digit(r rune) rune {
	switch {
	case '0' <= r && r <= '9':
		return r - '0'
	case 'a' <= r|0x20 && r|0x20 <= 'f':
		return r | 0x20 - 'a' + 10
	}
	return -1
}
