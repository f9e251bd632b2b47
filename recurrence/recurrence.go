// Package recurrence is what AWS's schedule expressions mean: rate(10 days), cron(0 8 ? * MON-FRI *). It is pure.
//
// It must not know what is due, nor what time it is.
package recurrence

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Expression is a schedule expression. All of its times are UTC.
type Expression struct {
	// Every is how long after one time the next is, of a rate; 0 of a cron expression.
	Every time.Duration
	// Days says that a rate is one of days.
	Days bool

	minutes, hours, months, years field
	days, weekdays                []day
	free                          bool // any day of the month, any day of the week
}

// Parse reads an expression. Its errors are sentences.
func Parse(text string) (*Expression, error) {
	if body, ok := inside(text, "rate"); ok {
		return rate(body)
	}
	if body, ok := inside(text, "cron"); ok {
		return cron(body)
	}
	return nil, fmt.Errorf("%q is neither rate(...) nor cron(...).", text)
}

func inside(text, name string) (string, bool) {
	body, ok := strings.CutPrefix(text, name+"(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(body, ")")
}

func rate(body string) (*Expression, error) {
	words := strings.Fields(body)
	if len(words) != 2 {
		return nil, fmt.Errorf("rate(%s) has to be a number and a unit.", body)
	}
	n, err := strconv.Atoi(words[0])
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	unit, ok := units[strings.TrimSuffix(words[1], "s")]
	switch {
	case err != nil || n < 1 || n > 100_000:
		return nil, fmt.Errorf("%q is no number of a rate.", words[0])
	case !ok || (n == 1) == strings.HasSuffix(words[1], "s"): // "1 day", "2 days" [D]
		return nil, fmt.Errorf("%q is no unit of rate(%s).", words[1], body)
	}
	return &Expression{Every: time.Duration(n) * unit, Days: unit == 24*time.Hour}, nil
}

// field is the numbers that a part of a cron expression names, sorted; nil for all.
type field []int

func (f field) has(n int) bool { return f == nil || slices.Contains(f, n) }

// day is one of the days that an expression names: 15; the last one (L); the weekday closest to one of them (15W, LW); of the week also
// the third Friday (6#3), and the last (6L).
type day struct {
	n    int
	nth  int // 1 to 5, of days of the week; 0 for all
	last bool
	near bool // of the days of the month: the weekday that is closest
}

func monthNames() []string {
	return []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
}

func dayNames() []string { return []string{"", "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"} }

func cron(body string) (*Expression, error) {
	words := strings.Fields(body)
	if len(words) != 6 {
		return nil, fmt.Errorf("cron(%s) has to have six fields.", body)
	}
	e := &Expression{}
	var err error
	for i, f := range []struct {
		into        *field
		first, last int
		names       []string
	}{
		{&e.minutes, 0, 59, nil}, {&e.hours, 0, 23, nil}, {nil, 0, 0, nil}, {&e.months, 1, 12, monthNames()}, {nil, 0, 0, nil}, {&e.years, 1970, 2199, nil},
	} {
		if f.into == nil {
			continue
		}
		if *f.into, err = readField(words[i], f.first, f.last, f.names); err != nil {
			return nil, err
		}
	}
	if (words[2] == "?") == (words[4] == "?") { // [D]
		return nil, errors.New("One of the day of the month and the day of the week has to be ?, and not both.")
	}
	if words[2] != "?" {
		e.days, err = readDays(words[2], 1, 31, nil)
	} else {
		e.weekdays, err = readDays(words[4], 1, 7, dayNames())
	}
	e.free = e.days == nil && e.weekdays == nil
	return e, err
}

// readField reads "*", "1,2", "MON-FRI", "0/15" and lists of them.
func readField(text string, first, last int, names []string) (field, error) {
	if text == "*" {
		return nil, nil
	}
	var out field
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		every := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%q is no step of a field.", part)
			}
			every = n
		}
		low, high := first, last
		if span != "*" {
			var ok1, ok2 bool
			low, ok1 = number(from, names)
			if high, ok2 = low, true; ranged {
				high, ok2 = number(to, names)
			} else if stepped {
				high = last
			}
			if !ok1 || !ok2 || low < first || high > last || low > high {
				return nil, fmt.Errorf("%q is not between %d and %d.", part, first, last)
			}
		}
		for n := low; n <= high; n += every {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func number(text string, names []string) (int, bool) {
	if i := slices.Index(names, strings.ToUpper(text)); i > 0 {
		return i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// readDays reads the days of a month or of a week.
func readDays(text string, first, last int, names []string) ([]day, error) {
	week := names != nil
	switch name, nth, counted := strings.Cut(text, "#"); {
	case text == "*":
		return nil, nil
	case text == "L":
		if week {
			return []day{{n: last}}, nil // Saturday [D]
		}
		return []day{{last: true}}, nil
	case !week && strings.HasSuffix(text, "W"): // of one day, not of a list or a range [I]
		n, err := strconv.Atoi(strings.TrimSuffix(text, "W"))
		if text != "LW" && (err != nil || n < first || n > last) {
			return nil, fmt.Errorf("%q is no weekday of a month.", text)
		}
		return []day{{n: n, last: text == "LW", near: true}}, nil
	case week && counted:
		n, ok := number(name, names)
		count, err := strconv.Atoi(nth)
		if !ok || err != nil || n < first || n > last || count < 1 || count > 5 {
			return nil, fmt.Errorf("%q is no day of the week.", text)
		}
		return []day{{n: n, nth: count}}, nil
	case week && strings.HasSuffix(text, "L"):
		n, ok := number(strings.TrimSuffix(text, "L"), names)
		if !ok || n < first || n > last {
			return nil, fmt.Errorf("%q is no day of the week.", text)
		}
		return []day{{n: n, last: true}}, nil
	}
	f, err := readField(text, first, last, names)
	out := make([]day, 0, len(f))
	for _, n := range f {
		out = append(out, day{n: n})
	}
	return out, err
}

// on says whether the expression names the day.
func (e *Expression) on(t time.Time) bool {
	lastOfMonth := t.AddDate(0, 1, -t.Day()).Day()
	lastOfItsSort := t.AddDate(0, 0, 7).Month() != t.Month()
	return e.free || slices.ContainsFunc(e.days, func(d day) bool {
		n := d.n
		if d.last {
			n = lastOfMonth
		}
		if d.near && n <= lastOfMonth {
			n = closest(t.AddDate(0, 0, n-t.Day()), lastOfMonth)
		}
		return n == t.Day()
	}) || slices.ContainsFunc(e.weekdays, func(d day) bool {
		return d.n == int(t.Weekday())+1 && (d.nth == 0 || d.nth == (t.Day()+6)/7) && (!d.last || lastOfItsSort)
	})
}

// closest is the day of the weekday that is closest to t, which is in a month of so many days, and does not leave the month [D, O].
func closest(t time.Time, days int) int {
	n := t.Day()
	switch t.Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == days {
			return n - 2
		}
		return n + 1
	}
	return n
}

// Next is the first time after one: of a rate, that time later. It is zero if there will never be one.
func (e *Expression) Next(after time.Time) time.Time {
	after = after.UTC()
	if e.Every > 0 {
		return after.Add(e.Every)
	}
	t := after.Truncate(time.Minute).Add(time.Minute)
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	for d := midnight; d.Year() < 2200; d = d.AddDate(0, 0, 1) {
		switch {
		case !e.years.has(d.Year()):
			d = time.Date(d.Year(), 12, 31, 0, 0, 0, 0, time.UTC)
			continue
		case !e.months.has(int(d.Month())) || !e.on(d):
			continue
		}
		for minute := range 24 * 60 {
			if at := d.Add(time.Duration(minute) * time.Minute); !at.Before(t) && e.hours.has(minute/60) && e.minutes.has(minute%60) {
				return at
			}
		}
	}
	return time.Time{}
}

// Minutes are the minutes of the hour that a cron expression names, nil for all and of a rate.
func (e *Expression) Minutes() []int { return slices.Clone(e.minutes) }
