package wire

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON, CBOR and form values may nest. The deepest ECS shape needs 12; a limit keeps hostile bodies
// from exhausting the stack, which Go cannot recover from.
const maxDepth = 128

// maxElements is how many list and map elements one document may hold. AWS's largest calls carry 10,000 (PutLogEvents);
// without a limit "[{},{},...]" would turn each three bytes of a body into a struct of hundreds.
const maxElements = 1 << 18

// A jsonReader scans one JSON text. Methods leave pos after what they read.
type jsonReader struct {
	data     []byte
	pos      int
	depth    int
	elements int
}

func syntaxError(msg string) error { return &decodeError{msg: msg} }

// space moves to the next byte that is not white space and returns it, or 0 at the end.
func (r *jsonReader) space() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) enter() error {
	if r.depth++; r.depth > maxDepth {
		return syntaxError("The document nests too deeply.")
	}
	r.pos++
	return nil
}

func (r *jsonReader) leave() { r.depth-- }

// count is called for each element that is kept.
func (r *jsonReader) count() error {
	if r.elements++; r.elements > maxElements {
		return syntaxError("The document holds too many elements.")
	}
	return nil
}

// more is called before each element of an object or list: it eats the comma or the closing byte, and reports whether
// an element follows.
func (r *jsonReader) more(first bool, end byte) (bool, error) {
	c := r.space()
	if c == end {
		r.pos++
		return false, nil
	}
	if first {
		return true, nil
	}
	if c != ',' {
		return false, r.unexpected()
	}
	r.pos++
	if r.space() == end { // a trailing comma
		return false, r.unexpected()
	}
	return true, nil
}

func (r *jsonReader) unexpected() error {
	if r.pos >= len(r.data) {
		return syntaxError("Unexpected end of document.")
	}
	return syntaxError("Unexpected character '" + string(rune(r.data[r.pos])) + "'.")
}

// member reads a key and its colon, and moves to the value. The key may point into data.
func (r *jsonReader) member() ([]byte, error) {
	if r.space() != '"' {
		return nil, r.unexpected()
	}
	key, err := r.rawString()
	if err != nil {
		return nil, err
	}
	if r.space() != ':' {
		return nil, r.unexpected()
	}
	r.pos++
	r.space()
	return key, nil
}

func (r *jsonReader) word(w string) error {
	if len(r.data)-r.pos < len(w) || string(r.data[r.pos:r.pos+len(w)]) != w {
		return r.unexpected()
	}
	r.pos += len(w)
	return nil
}

// text reads the string that starts at pos.
func (r *jsonReader) text() (string, error) {
	raw, err := r.rawString()
	return string(raw), err
}

// rawString reads the string that starts at pos; the result points into data unless the string holds escapes or broken
// UTF-8, which becomes U+FFFD.
func (r *jsonReader) rawString() ([]byte, error) {
	start := r.pos + 1
	var high byte
	for i := start; i < len(r.data); i++ {
		c := r.data[i]
		switch {
		case c == '"':
			r.pos = i + 1
			raw := r.data[start:i]
			if high >= utf8.RuneSelf && !utf8.Valid(raw) {
				return []byte(strings.ToValidUTF8(string(raw), "\uFFFD")), nil
			}
			return raw, nil
		case c == '\\':
			return r.escapedString(start, i)
		case c < ' ':
			r.pos = i
			return nil, r.unexpected()
		}
		high |= c
	}
	r.pos = len(r.data)
	return nil, r.unexpected()
}

// escapedString reads the rest of a string whose first escape is at i.
func (r *jsonReader) escapedString(start, i int) ([]byte, error) {
	out := append(make([]byte, 0, 2*(i-start)+16), r.data[start:i]...)
	r.pos = i
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		switch {
		case c == '"':
			r.pos++
			if !utf8.Valid(out) {
				out = []byte(strings.ToValidUTF8(string(out), "\uFFFD"))
			}
			return out, nil
		case c < ' ':
			return nil, r.unexpected()
		case c != '\\':
			out = append(out, c)
			r.pos++
		default:
			var err error
			if out, err = r.escape(out); err != nil {
				return nil, err
			}
		}
	}
	return nil, r.unexpected()
}

// escape reads one escape sequence at pos and appends what it stands for.
func (r *jsonReader) escape(out []byte) ([]byte, error) {
	if r.pos++; r.pos >= len(r.data) {
		return nil, r.unexpected()
	}
	c := r.data[r.pos]
	switch c {
	case '"', '\\', '/':
		out = append(out, c)
	case 'b':
		out = append(out, '\b')
	case 'f':
		out = append(out, '\f')
	case 'n':
		out = append(out, '\n')
	case 'r':
		out = append(out, '\r')
	case 't':
		out = append(out, '\t')
	case 'u':
		ru, ok := r.hex4(r.pos + 1)
		if !ok {
			return nil, r.unexpected()
		}
		r.pos += 5
		if utf16.IsSurrogate(ru) {
			ru = r.surrogate(ru)
		}
		return utf8.AppendRune(out, ru), nil
	default:
		return nil, r.unexpected()
	}
	r.pos++
	return out, nil
}

// surrogate joins the half read so far with the \uXXXX at pos; half a pair alone stands for U+FFFD.
func (r *jsonReader) surrogate(first rune) rune {
	if r.pos+1 < len(r.data) && r.data[r.pos] == '\\' && r.data[r.pos+1] == 'u' {
		if second, ok := r.hex4(r.pos + 2); ok {
			if joined := utf16.DecodeRune(first, second); joined != utf8.RuneError {
				r.pos += 6
				return joined
			}
		}
	}
	return utf8.RuneError
}

func (r *jsonReader) hex4(at int) (rune, bool) {
	if at+4 > len(r.data) {
		return 0, false
	}
	var n rune
	for _, c := range r.data[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			n = n<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// number reads the number that starts at pos and returns its text.
func (r *jsonReader) number() ([]byte, error) {
	start := r.pos
	if r.data[r.pos] == '-' {
		r.pos++
	}
	zero := r.pos
	if r.digits() == 0 || r.data[zero] == '0' && r.pos > zero+1 {
		return nil, r.unexpected()
	}
	if r.pos < len(r.data) && r.data[r.pos] == '.' {
		r.pos++
		if r.digits() == 0 {
			return nil, r.unexpected()
		}
	}
	if r.pos < len(r.data) && (r.data[r.pos] == 'e' || r.data[r.pos] == 'E') {
		r.pos++
		if r.pos < len(r.data) && (r.data[r.pos] == '+' || r.data[r.pos] == '-') {
			r.pos++
		}
		if r.digits() == 0 {
			return nil, r.unexpected()
		}
	}
	return r.data[start:r.pos], nil
}

func (r *jsonReader) digits() int {
	start := r.pos
	for r.pos < len(r.data) && '0' <= r.data[r.pos] && r.data[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - start
}

// skip reads over any value, checking its syntax.
func (r *jsonReader) skip() error {
	switch c := r.space(); c {
	case '"':
		_, err := r.rawString()
		return err
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	case '{', '[':
		end := c + 2 // the closing bytes are two after the opening ones in ASCII
		if err := r.enter(); err != nil {
			return err
		}
		for first := true; ; first = false {
			if more, err := r.more(first, end); err != nil || !more {
				r.leave()
				return err
			}
			if c == '{' {
				if _, err := r.member(); err != nil {
					return err
				}
			}
			if err := r.skip(); err != nil {
				return err
			}
		}
	case 0:
		return r.unexpected()
	default:
		if c != '-' && (c < '0' || c > '9') {
			return r.unexpected()
		}
		_, err := r.number()
		return err
	}
}

// end checks that nothing but white space is left.
func (r *jsonReader) end() error {
	if r.space(); r.pos < len(r.data) {
		return r.unexpected()
	}
	return nil
}
