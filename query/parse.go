package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxLength is the most characters that an expression may have (SEMANTICS §5.2) [D].
const MaxLength = 2000

// maxDepth is how deep parentheses and negations may nest [I].
const maxDepth = 64

// SyntaxError says why an expression is none.
type SyntaxError struct {
	Offset int // in bytes, of what is wrong
	Msg    string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at offset %d", e.Msg, e.Offset) }

// Parse reads an expression. Its error is a *SyntaxError.
func Parse(text string) (*Expr, error) {
	if n := utf8.RuneCountInString(text); n > MaxLength {
		return nil, &SyntaxError{MaxLength, fmt.Sprintf("the expression has %d characters, more than %d,", n, MaxLength)}
	}
	return parse(text)
}

func parse(text string) (*Expr, error) {
	p := parser{text: text}
	for at, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[at:], string(utf8.RuneError)) {
			return nil, &SyntaxError{at, "the expression is not valid UTF-8"}
		}
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.pos < len(p.text) {
		return nil, p.expected("&&, || or the end of the expression")
	}
	e := &Expr{root: root}
	root.collect(&e.uses)
	return e, nil
}

// parser reads text from pos on. Its methods stop behind what they read and the space that follows.
type parser struct {
	text  string
	pos   int
	depth int // of the parentheses and negations around pos
}

func (p *parser) or() (*node, error)  { return p.join(or, "||", "or", p.and) }
func (p *parser) and() (*node, error) { return p.join(and, "&&", "and", p.unary) }

// join reads operands with an operator between them.
func (p *parser) join(k kind, symbol, word string, operand func() (*node, error)) (*node, error) {
	var kids []*node
	for {
		kid, err := operand()
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
		if !p.symbol(symbol) && !p.word(word) {
			return joined(k, kids), nil
		}
	}
}

func (p *parser) unary() (*node, error) {
	p.space()
	if p.depth > maxDepth {
		return nil, p.fail(p.pos, "parentheses and negations nest deeper than %d", maxDepth)
	}
	p.depth++
	defer func() { p.depth-- }()
	switch {
	case p.symbol("!") || p.word("not"):
		kid, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &node{kind: not, kids: []*node{kid}}, nil
	case p.symbol("("):
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.symbol(")") {
			return nil, p.expected("&&, || or )")
		}
		return n, nil
	}
	c, err := p.condition()
	if err != nil {
		return nil, err
	}
	return &node{kind: leaf, cond: c}, nil
}

// space passes over white space.
func (p *parser) space() {
	for p.pos < len(p.text) && isSpace(p.text[p.pos]) {
		p.pos++
	}
}

// symbol passes over the symbol if it is next.
func (p *parser) symbol(s string) bool {
	if !strings.HasPrefix(p.text[p.pos:], s) {
		return false
	}
	p.pos += len(s)
	p.space()
	return true
}

// word passes over the word, in capitals or not [I], if it is next.
func (p *parser) word(w string) bool {
	end := p.pos + len(w)
	if end > len(p.text) || !strings.EqualFold(p.text[p.pos:end], w) || end < len(p.text) && isName(p.text[end]) {
		return false
	}
	p.pos = end
	p.space()
	return true
}

// run returns the longest run of bytes from pos on that belong to it, and passes over it.
func (p *parser) run(belongs func(byte) bool) string {
	from := p.pos
	for p.pos < len(p.text) && belongs(p.text[p.pos]) {
		p.pos++
	}
	return p.text[from:p.pos]
}

func (p *parser) fail(at int, format string, args ...any) error {
	return &SyntaxError{Offset: at, Msg: fmt.Sprintf(format, args...)}
}

// expected is the error that something else should be at pos.
func (p *parser) expected(what string) error {
	rest := p.text[p.pos:]
	if rest == "" {
		return p.fail(p.pos, "expected %s, found the end of the expression", what)
	}
	n := 0
	for n < len(rest) && isName(rest[n]) {
		n++
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(rest)
	}
	return p.fail(p.pos, "expected %s, found %q", what, rest[:n])
}

func isSpace(c byte) bool { return strings.IndexByte(" \t\r\n", c) >= 0 }

// isName reports whether the character may be in an attribute's name (SEMANTICS §5.1) [D].
func isName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(`_-./\`, c) >= 0
}
