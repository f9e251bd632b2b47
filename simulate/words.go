package simulate

import (
	"fmt"
	"strings"
	"time"
)

// words are what is left of an event's line.
type words struct{ left []string }

// split splits a line at spaces; what stands in double quotes is one word.
func split(line string) (*words, error) {
	in := &words{}
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			in.left = append(in.left, part)
		} else {
			in.left = append(in.left, strings.Fields(part)...)
		}
	}
	if strings.Count(line, `"`)%2 == 1 {
		return nil, fmt.Errorf("expected a second double quote")
	}
	return in, nil
}

// peek returns the next word, "" if there is none, and next takes it.
func (in *words) peek() string {
	if len(in.left) == 0 {
		return ""
	}
	return in.left[0]
}

func (in *words) next() string {
	w := in.peek()
	if len(in.left) > 0 {
		in.left = in.left[1:]
	}
	return w
}

// rest is what is left as it could have been written.
func (in *words) rest() string {
	var out []string
	for _, w := range in.left {
		if w == "" || strings.ContainsAny(w, " \t") {
			w = `"` + w + `"`
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// period reads "for D", or gives otherwise.
func (in *words) period(otherwise time.Duration) (time.Duration, error) {
	if in.peek() != "for" {
		return otherwise, nil
	}
	in.next()
	return duration(in.next())
}

// some reads "N|all FAMILY"; all is -1.
func (in *words) some(f *File) (count int, kind *Kind, err error) {
	count = -1
	if word := in.next(); word != "all" {
		n, err := whole(word, 1, 1_000_000)
		if err != nil {
			return 0, nil, err
		}
		count = int(n)
	}
	name := in.next()
	if kind = f.kind(name); kind == nil {
		return 0, nil, fmt.Errorf("%q: expected the family of a task definition", name)
	}
	return count, kind, nil
}
