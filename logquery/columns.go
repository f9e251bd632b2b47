package logquery

import (
	"fmt"
	"strconv"
	"strings"
)

// columns is a pattern of space-delimited fields: [ip, user, ..., status = 4*, size].
type columns struct {
	fields []column
	gap    int // where "..." is, -1 for nowhere
}

type column struct {
	name string // "" if it has none
	cond expression
}

func parseColumns(text string) (*columns, error) {
	c := &columns{gap: -1}
	p := &parser{text: text[1:], selector: columnName}
	for !p.take("]") {
		if len(c.fields) > 0 || c.gap >= 0 {
			if !p.take(",") {
				return nil, fmt.Errorf("a comma is missing in the filter pattern at '%s'", p.text)
			}
		}
		if p.take("...") {
			if c.gap >= 0 {
				return nil, fmt.Errorf("the filter pattern has more than one ellipsis")
			}
			c.gap = len(c.fields)
			continue
		}
		f, err := p.column()
		if err != nil {
			return nil, err
		}
		c.fields = append(c.fields, f)
	}
	if strings.TrimSpace(p.text) != "" {
		return nil, fmt.Errorf("the filter pattern does not end with ] at '%s'", p.text)
	}
	return c, nil
}

// column reads a name, or conditions about one name.
func (p *parser) column() (column, error) {
	p.skip()
	if p.text == "" {
		return column{}, fmt.Errorf("the filter pattern does not end with ]")
	}
	if p.text[0] == ',' || p.text[0] == ']' {
		return column{}, nil
	}
	if p.text[0] != '(' {
		name, rest, err := columnName(p.text)
		if err != nil {
			return column{}, err
		}
		if rest = strings.TrimSpace(rest); rest == "" {
			return column{}, fmt.Errorf("the filter pattern does not end with ]")
		} else if strings.HasPrefix(rest, ",") || strings.HasPrefix(rest, "]") {
			p.text = rest
			return column{name: name}, nil
		}
	}
	e, err := p.or()
	if err != nil {
		return column{}, err
	}
	f := column{cond: e}
	e.selectors(func(name string) {
		if f.name == "" {
			f.name = name
		} else if f.name != name {
			err = fmt.Errorf("a field of the filter pattern has two names, '%s' and '%s'", f.name, name)
		}
	})
	return f, err
}

func columnName(text string) (name, rest string, err error) {
	end := strings.IndexFunc(text, func(r rune) bool { return !wordRune(r) && r != '-' && r != '.' && r != '$' && r != '@' })
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return "", "", fmt.Errorf("a name is missing in the filter pattern at '%s'", text)
	}
	return text[:end], text[end:], nil
}

// match returns the fields by "$name", or by "$number" where they have none; those under an ellipsis have none.
func (c *columns) match(message string) (map[string]string, bool) {
	parts := splitColumns(message)
	extra := len(parts) - len(c.fields)
	if extra != 0 && (c.gap < 0 || extra < 0) {
		return nil, false
	}
	values := make(map[string]string, len(parts))
	for i, part := range parts {
		k := i
		if c.gap >= 0 && i >= c.gap {
			if k = i - extra; k < c.gap {
				values["$"+strconv.Itoa(i+1)] = part
				continue
			}
		}
		f := &c.fields[k]
		if f.cond != nil && !f.cond.holds(func(string) []val { return []val{{isText, part}} }) {
			return nil, false
		}
		if f.name == "" {
			values["$"+strconv.Itoa(i+1)] = part
		} else {
			values["$"+f.name] = part
		}
	}
	return values, true
}

// splitColumns parts a message at spaces; what is in brackets or quotes is one field, without them [D].
func splitColumns(message string) []string {
	var parts []string
	for rest := strings.TrimSpace(message); rest != ""; rest = strings.TrimLeft(rest, " \t\r\n") {
		closing := map[byte]string{'[': "]", '"': `"`}[rest[0]]
		if closing != "" {
			if end := strings.Index(rest[1:], closing); end >= 0 {
				parts = append(parts, rest[1:end+1])
				rest = rest[end+2:]
				continue
			}
		}
		end := strings.IndexAny(rest, " \t\r\n")
		if end < 0 {
			end = len(rest)
		}
		parts = append(parts, rest[:end])
		rest = rest[end:]
	}
	return parts
}
