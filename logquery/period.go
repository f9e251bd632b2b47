package logquery

import (
	"math"
	"strings"
	"time"
)

// period reads the rest of bin(5m), of datefloor(FIELD, 5m) and of dateceil.
func (p *queryParser) period(kind string) (formula, error) {
	of := formula(func(r *row) Value { return r.get("@timestamp") })
	if kind != "bin" {
		f, err := p.formula()
		if err != nil {
			return nil, err
		}
		if of = f; !p.take(",") {
			return nil, p.unexpected()
		}
	}
	t := p.next()
	step, ok := parsePeriod(t.text)
	if !ok {
		return nil, &QueryError{"not a period of time: " + t.text, t.start, t.end}
	}
	if !p.take(")") {
		return nil, p.unexpected()
	}
	return func(r *row) Value {
		n, ok := of(r).num()
		if !ok || math.Abs(n) > 1<<53 {
			return Value{}
		}
		begin, end := step.around(int64(math.Floor(n)))
		if kind == "dateceil" && float64(begin) != n {
			return timeValue(end)
		}
		return timeValue(begin)
	}, nil
}

// A period is so many milliseconds, or so many months of the calendar.
type period struct{ millis, months int64 }

// around is the period in which a time is, from its beginning to its end. Periods of months begin with years, others with the epoch [I].
func (p period) around(ms int64) (begin, end int64) {
	if p.months == 0 {
		begin = ms - ((ms%p.millis)+p.millis)%p.millis
		return begin, begin + p.millis
	}
	t := time.UnixMilli(ms).UTC()
	n := int64(t.Year())*12 + int64(t.Month()) - 1
	n -= ((n % p.months) + p.months) % p.months
	month := func(n int64) int64 { return time.Date(0, time.Month(n+1), 1, 0, 0, 0, 0, time.UTC).UnixMilli() }
	return month(n), month(n + p.months)
}

// parsePeriod reads 1ms, 30s, 5m, 1h, 1d, 1w, 1mo, 1q, 1y, and the longer names of these, which may have an "s" [D].
func parsePeriod(text string) (period, bool) {
	unit := strings.TrimLeft(text, "0123456789")
	n := int64(0)
	for _, c := range text[:len(text)-len(unit)] {
		if n = n*10 + int64(c-'0'); n > 1e6 {
			return period{}, false
		}
	}
	unit = strings.ToLower(unit)
	d, ok := unitOf(unit)
	if !ok && len(unit) > 2 {
		d, ok = unitOf(strings.TrimSuffix(unit, "s"))
	}
	return period{d.millis * n, d.months * n}, ok && n > 0
}

func unitOf(name string) (period, bool) {
	const second = 1000
	switch name {
	case "ms", "msec", "millisecond":
		return period{1, 0}, true
	case "s", "sec", "second":
		return period{second, 0}, true
	case "m", "min", "minute":
		return period{60 * second, 0}, true
	case "h", "hr", "hour":
		return period{3600 * second, 0}, true
	case "d", "day":
		return period{24 * 3600 * second, 0}, true
	case "w", "week":
		return period{7 * 24 * 3600 * second, 0}, true
	case "mo", "mon", "month":
		return period{0, 1}, true
	case "q", "qtr", "quarter":
		return period{0, 3}, true
	case "y", "yr", "year":
		return period{0, 12}, true
	}
	return period{}, false
}
