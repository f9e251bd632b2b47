package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/query"
)

// duration reads "90s", "1h30m", "2d".
func duration(s string) (time.Duration, error) {
	const want = "a duration such as 90s, 1h30m or 2d"
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || !(n >= 0 && n <= 10_000) {
			return 0, fmt.Errorf("%q: expected %s", s, want)
		}
		return time.Duration(n * 24 * float64(time.Hour)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q: expected %s", s, want)
	}
	return d, nil
}

// moment reads a time since the beginning: "02:00", "26:30:15" or a duration.
func moment(s string) (time.Duration, error) {
	if !strings.Contains(s, ":") {
		if d, err := duration(s); err == nil {
			return d, nil
		}
		return 0, fmt.Errorf("%q: expected a time such as 02:00, 26:30:15 or 90m", s)
	}
	parts := strings.Split(s, ":")
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if i >= len(parts) {
			break
		}
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil || i > 0 && n > 59 || len(parts) > 3 {
			return 0, fmt.Errorf("%q: expected a time such as 02:00 or 26:30:15", s)
		}
		d += time.Duration(n) * unit
	}
	return d, nil
}

// clock writes a time since the beginning: "02:00:13.250".
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// forever is the run of a task that never ends by itself.
const forever = time.Duration(math.MaxInt64)

// Spread is how long something takes: always the same, or drawn from a distribution.
type Spread struct {
	kind string // "", "uniform", "exp" or "normal"
	a, b time.Duration
}

// fixed is a Spread that always gives d.
func fixed(d time.Duration) Spread { return Spread{a: d} }

// spread reads "20s", "5s..20s" (uniform), "exp 10m" (exponential with that mean) or "normal 10m 2m" (mean and standard
// deviation, never less than 0).
func spread(s string) (Spread, error) {
	words := strings.Fields(s)
	var out Spread
	var parts []string
	switch {
	case len(words) == 1 && words[0] == "forever":
		return fixed(forever), nil
	case len(words) == 2 && words[0] == "exp", len(words) == 3 && words[0] == "normal":
		out.kind, parts = words[0], words[1:]
	case len(words) == 1 && strings.Contains(s, ".."):
		from, to, _ := strings.Cut(words[0], "..")
		out.kind, parts = "uniform", []string{from, to}
	default:
		parts = words
	}
	if len(parts) == 0 || len(parts) > 2 || out.kind == "" && len(parts) != 1 {
		return Spread{}, fmt.Errorf("%q: expected 20s, 5s..20s, exp 10m, normal 10m 2m or forever", s)
	}
	for i, p := range parts {
		d, err := duration(p)
		if err != nil {
			return Spread{}, err
		}
		if i == 0 {
			out.a = d
		} else {
			out.b = d
		}
	}
	if out.kind == "uniform" && out.b < out.a {
		return Spread{}, fmt.Errorf("%q: expected the shorter duration first", s)
	}
	return out, nil
}

// draw takes one duration, in whole milliseconds: rows have no finer time.
func (s Spread) draw(r *rand.Rand) time.Duration {
	d := s.a
	switch s.kind {
	case "uniform":
		d += time.Duration(r.Float64() * float64(s.b-s.a))
	case "exp":
		d = time.Duration(r.ExpFloat64() * float64(s.a))
	case "normal":
		d += time.Duration(r.NormFloat64() * float64(s.b))
	}
	if d == forever {
		return d
	}
	return max(d, 0).Truncate(time.Millisecond)
}

// share reads "1%" or "0.01".
func share(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%q: expected a share such as 1%% or 0.01", s)
	}
	return f, nil
}

// mebibytes reads "512", "512MiB" or "16GiB".
func mebibytes(s string) (int64, error) {
	number, unit := s, int64(1)
	if n, ok := strings.CutSuffix(s, "GiB"); ok {
		number, unit = n, 1024
	} else if n, ok := strings.CutSuffix(s, "MiB"); ok {
		number = n
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q: expected an amount of memory such as 512 (MiB) or 16GiB", s)
	}
	return n * unit, nil
}

// whole reads a number from least to most.
func whole(s string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q: expected a number from %d to %d", s, least, most)
	}
	return n, nil
}

// port is a host port that a task publishes.
type port struct {
	number int32
	udp    bool
}

// portOf reads "80" or "53/udp".
func portOf(s string) (port, error) {
	number, protocol, has := strings.Cut(s, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || has && protocol != "tcp" && protocol != "udp" {
		return port{}, fmt.Errorf("%q: expected a port such as 80 or 53/udp", s)
	}
	return port{int32(n), protocol == "udp"}, nil
}

// expression reads an expression of the cluster query language.
func expression(s string) (string, error) {
	if _, err := query.Parse(s); err != nil {
		return "", fmt.Errorf("%q: expected an expression of the cluster query language: %w", s, err)
	}
	return s, nil
}
