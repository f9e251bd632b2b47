package query

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// compareText compares as numbers if both are, else as texts [I].
func compareText(op operator, arg string) func(string) bool {
	want, numeric := number(arg)
	return func(v string) bool {
		if n, ok := number(v); ok && numeric {
			return op.holds(cmp.Compare(n, want))
		}
		return op.holds(strings.Compare(v, arg))
	}
}

// number reads a decimal number.
func number(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "+-.0123456789") != "" {
		return 0, false // a word: not worth the error that ParseFloat makes
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// parseMoment reads a time of one of the documented forms, which are in UTC unless they say otherwise [D], or with a fraction
// of a second [I]. The grain is a second if it has none: times are kept in milliseconds, and none would be equal [I].
func parseMoment(s string) (moment time.Time, grain time.Duration, ok bool) {
	grain = time.Second
	if strings.Contains(s, ".") {
		grain = time.Millisecond
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Truncate(grain), grain, true
		}
	}
	return time.Time{}, 0, false
}

// version is a semantic version. Missing parts of its number are 0, and a "v" before it does not matter [I].
type version struct {
	number [3]uint64
	pre    string // "rc.1" of 1.2.3-rc.1
}

func parseVersion(s string) (v version, ok bool) {
	s = strings.TrimPrefix(s, "v")
	s, _, _ = strings.Cut(s, "+")
	s, v.pre, ok = strings.Cut(s, "-")
	if ok && v.pre == "" {
		return v, false
	}
	for i := range v.number {
		var part string
		var more bool
		part, s, more = strings.Cut(s, ".")
		if v.number[i], ok = digits(part); !ok {
			return v, false
		}
		if !more {
			return v, true
		}
	}
	return v, false
}

// digits reads a number without a sign that fits.
func digits(s string) (n uint64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + uint64(s[i]-'0')
	}
	return n, true
}

// compareVersion compares as semantic versions do [D: agentVersion has an order].
func compareVersion(op operator, arg string) func(string) bool {
	want, _ := parseVersion(arg)
	return func(s string) bool {
		v, ok := parseVersion(s)
		return ok && op.holds(v.compare(want))
	}
}

// compare is the precedence of semantic versions: one with a pre-release comes before the one without.
func (v version) compare(w version) int {
	for i := range v.number {
		if c := cmp.Compare(v.number[i], w.number[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	return comparePre(v.pre, w.pre)
}

func comparePre(v, w string) int {
	for {
		var a, b string
		var moreV, moreW bool
		a, v, moreV = strings.Cut(v, ".")
		b, w, moreW = strings.Cut(w, ".")
		m, numberA := digits(a)
		n, numberB := digits(b)
		c := strings.Compare(a, b)
		switch {
		case numberA && numberB:
			c = cmp.Compare(m, n)
		case numberA:
			c = -1
		case numberB:
			c = 1
		}
		switch {
		case c != 0:
			return c
		case !moreV && !moreW:
			return 0
		case !moreV:
			return -1
		case !moreW:
			return 1
		}
	}
}
