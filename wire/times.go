package wire

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// The years AWS timestamps may carry; beyond them time.Time arithmetic overflows silently.
const (
	minSeconds = -62135596800 // 0001-01-01
	maxSeconds = 253402300799 // 9999-12-31
)

// parseTime reads epoch seconds ("1700000000.123", up to nanoseconds) or ISO 8601 or an HTTP date. The result is UTC.
func parseTime(text string) (time.Time, error) {
	bad := &decodeError{msg: "Invalid timestamp: " + strconv.Quote(text)}
	whole, fraction, _ := strings.Cut(text, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.ContainsAny(fraction, "eE+-") {
		return parseLongTime(text, bad)
	}
	nanos := int64(0)
	if fraction != "" {
		digits := (fraction + "000000000")[:9]
		if nanos, err = strconv.ParseInt(digits, 10, 64); err != nil {
			return time.Time{}, bad
		}
	}
	if sec < minSeconds || sec > maxSeconds {
		return time.Time{}, bad
	}
	if strings.HasPrefix(text, "-") {
		nanos = -nanos
	}
	return time.Unix(sec, nanos).UTC(), nil
}

// parseLongTime reads the forms that are not plain decimals: 1.7E9 as Java writes it, ISO 8601, HTTP dates.
func parseLongTime(text string, bad error) (time.Time, error) {
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if t, ok := floatTime(f); ok {
			return t, nil
		}
		return time.Time{}, bad
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02", time.RFC1123} {
		if t, err := time.Parse(layout, text); err == nil {
			if s := t.Unix(); s < minSeconds || s > maxSeconds {
				return time.Time{}, bad
			}
			return t.UTC(), nil
		}
	}
	return time.Time{}, bad
}

// floatTime turns epoch seconds into a time of whole milliseconds, unless they are out of range or no number.
func floatTime(f float64) (time.Time, bool) {
	if !(f >= minSeconds && f <= maxSeconds+1) { // so written that NaN is refused too
		return time.Time{}, false
	}
	t := time.UnixMilli(int64(math.Round(f * 1e3))).UTC()
	return t, t.Unix() <= maxSeconds
}

// appendEpoch writes epoch seconds with as many of the fraction's digits (3 or 9) as are not trailing zeros.
func appendEpoch(b []byte, t time.Time, digits int) []byte {
	sec, nanos := t.Unix(), int64(t.Nanosecond())
	if digits == 3 {
		nanos -= nanos % int64(time.Millisecond)
	}
	if sec < 0 && nanos > 0 { // -0.25 is second -1 plus 0.75
		sec, nanos = sec+1, int64(time.Second)-nanos
		if sec == 0 {
			b = append(b, '-')
		}
	}
	b = strconv.AppendInt(b, sec, 10)
	if nanos == 0 {
		return b
	}
	b = append(b, '.')
	for place := int64(1e8); nanos > 0; place /= 10 {
		b = append(b, byte('0'+nanos/place))
		nanos %= place
	}
	return b
}

const isoMillis = "2006-01-02T15:04:05.999Z"

// appendTextTime writes the textual formats: ISO 8601 with milliseconds, unless the member asks for an HTTP date.
func appendTextTime(b []byte, t time.Time, format string) []byte {
	if format == "http-date" {
		return t.UTC().AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
	}
	return t.UTC().AppendFormat(b, isoMillis)
}
