package recurrence_test

import (
	"testing"
	"time"

	"github.com/roadstead/roadstead/recurrence"
)

// [D] Times of expressions, as AWS's documentation explains them.
func TestNext(t *testing.T) {
	for _, c := range []struct{ text, after, want string }{
		{"rate(10 days)", "2026-05-01T12:00:00Z", "2026-05-11T12:00:00Z"},
		{"rate(1 hour)", "2026-05-01T12:00:00Z", "2026-05-01T13:00:00Z"},
		{"cron(0 10 * * ? *)", "2026-05-01T09:00:00Z", "2026-05-01T10:00:00Z"},
		{"cron(0 10 * * ? *)", "2026-05-01T10:00:00Z", "2026-05-02T10:00:00Z"},
		{"cron(0 18 ? * MON-FRI *)", "2026-05-01T19:00:00Z", "2026-05-04T18:00:00Z"}, // over a weekend
		{"cron(0 8 1 * ? *)", "2026-05-01T08:30:00Z", "2026-06-01T08:00:00Z"},
		{"cron(0/15 8,20 ? * 2#1 *)", "2026-05-05T00:00:00Z", "2026-06-01T08:00:00Z"}, // the first Monday
		{"cron(45 9 L * ? *)", "2026-02-01T00:00:00Z", "2026-02-28T09:45:00Z"},
		{"cron(0 9 6W * ? *)", "2026-05-01T00:00:00Z", "2026-05-06T09:00:00Z"},  // a Wednesday
		{"cron(0 9 9W * ? *)", "2026-05-01T00:00:00Z", "2026-05-08T09:00:00Z"},  // a Saturday: the Friday before
		{"cron(0 9 3W * ? *)", "2026-05-01T00:00:00Z", "2026-05-04T09:00:00Z"},  // a Sunday: the Monday after
		{"cron(0 9 1W 8 ? *)", "2026-05-01T00:00:00Z", "2026-08-03T09:00:00Z"},  // a Saturday, and no day of another month
		{"cron(0 9 31W 5 ? *)", "2026-05-01T00:00:00Z", "2026-05-29T09:00:00Z"}, // a Sunday, and no day of another month
		{"cron(0 9 31W * ? *)", "2026-06-01T00:00:00Z", "2026-07-31T09:00:00Z"}, // June has none
		{"cron(0 9 LW * ? *)", "2026-05-01T00:00:00Z", "2026-05-29T09:00:00Z"},
		{"cron(0 9 LW 2 ? *)", "2026-02-01T00:00:00Z", "2026-02-27T09:00:00Z"},
		{"cron(45 9 L * ? *)", "2026-01-31T10:00:00Z", "2026-02-28T09:45:00Z"},
		{"cron(0 8 ? * FRIL *)", "2026-05-01T12:00:00Z", "2026-05-29T08:00:00Z"}, // the last Friday
		{"cron(0 0 1 1/3 ? *)", "2026-05-02T00:00:00Z", "2026-07-01T00:00:00Z"},
		{"cron(0 0 29 2 ? *)", "2026-05-02T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"cron(0 0 1 1 ? 2030)", "2026-05-02T00:00:00Z", "2030-01-01T00:00:00Z"},
		{"cron(0 0 1 1 ? 2020)", "2026-05-02T00:00:00Z", "0001-01-01T00:00:00Z"}, // never
		{"cron(0 0 30 2 ? *)", "2026-05-02T00:00:00Z", "0001-01-01T00:00:00Z"},
	} {
		e, err := recurrence.Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Next(after).Format(time.RFC3339); got != c.want {
			t.Errorf("%s after %s: %s, want %s", c.text, c.after, got, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, text := range []string{
		"", "10 days", "rate(days)", "rate(0 days)", "rate(1 days)", "rate(2 day)", "rate(2 weeks)", "rate(-1 days)", "cron(0 10 * *)", "cron(0 10 * * * *)", "cron(0 10 ? * ? *)",
		"cron(60 10 * * ? *)", "cron(0 24 * * ? *)", "cron(0 10 32 * ? *)", "cron(0 10 * 13 ? *)", "cron(0 10 ? * 8 *)", "cron(0 10 ? * MON#6 *)", "cron(0 9-5 * * ? *)", "cron(0/0 1 * * ? *)", "cron(a b c d e f)",
		"cron(0 10 W * ? *)", "cron(0 10 0W * ? *)", "cron(0 10 32W * ? *)", "cron(0 10 1W,15W * ? *)", "cron(0 10 1-5W * ? *)", "cron(0 10 ? * 2W *)",
	} {
		if _, err := recurrence.Parse(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
