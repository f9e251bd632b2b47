package policy

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// value is a JSON value that remembers the order of members and refuses those that come twice [D].
type value struct {
	kind    valueKind
	text    string // of a string, and of a number or boolean as written
	list    []value
	members []member
	// of an object, its bytes in the document
	from, to int64
}

type member struct {
	name string
	value
}

type valueKind int

const (
	null valueKind = iota
	text
	number // and booleans: values of conditions that need no quotation marks [D]
	list
	object
)

// maxNesting is deeper than any document: a condition's value stands in six levels.
const maxNesting = 10

var errSyntax = errors.New("no policy") // every reason is worded the same to the user

// readJSON reads one value and nothing behind it.
func readJSON(document string) (value, error) {
	if !utf8.ValidString(document) || !json.Valid([]byte(document)) {
		return value{}, errSyntax
	}
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return value{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return value{}, errSyntax
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (value, error) {
	t, err := d.Token()
	if err != nil || depth > maxNesting {
		return value{}, errSyntax
	}
	switch t := t.(type) {
	case string:
		return value{kind: text, text: t}, nil
	case json.Number:
		return value{kind: number, text: t.String()}, nil
	case bool:
		if t {
			return value{kind: number, text: "true"}, nil
		}
		return value{kind: number, text: "false"}, nil
	case json.Delim:
		if t == '[' {
			return readList(d, depth)
		}
		return readObject(d, depth)
	}
	return value{kind: null}, nil
}

func readList(d *json.Decoder, depth int) (value, error) {
	v := value{kind: list}
	for d.More() {
		item, err := readValue(d, depth+1)
		if err != nil {
			return value{}, err
		}
		v.list = append(v.list, item)
	}
	_, err := d.Token() // the bracket
	return v, err
}

func readObject(d *json.Decoder, depth int) (value, error) {
	v := value{kind: object, from: d.InputOffset() - 1}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return value{}, errSyntax
		}
		name := t.(string) // the decoder lets nothing else be a name
		if seen[name] {
			return value{}, errSyntax
		}
		seen[name] = true
		item, err := readValue(d, depth+1)
		if err != nil {
			return value{}, err
		}
		v.members = append(v.members, member{name, item})
	}
	_, err := d.Token()
	v.to = d.InputOffset()
	return v, err
}

// strings are the texts of a string or of a list of strings.
func (v *value) strings() ([]string, error) {
	switch v.kind {
	case text:
		return []string{v.text}, nil
	case list:
		out := make([]string, 0, len(v.list))
		for i := range v.list {
			if v.list[i].kind != text {
				return nil, errSyntax
			}
			out = append(out, v.list[i].text)
		}
		return out, nil
	}
	return nil, errSyntax
}

// scalars are the texts of a condition's values: numbers and booleans count as their text [D].
func (v *value) scalars() ([]string, error) {
	items := []value{*v}
	if v.kind == list {
		items = v.list
	}
	out := make([]string, 0, len(items))
	for i := range items {
		if items[i].kind != text && items[i].kind != number {
			return nil, errSyntax
		}
		out = append(out, items[i].text)
	}
	return out, nil
}
