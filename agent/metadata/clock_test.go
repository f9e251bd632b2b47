package metadata

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's clock in microseconds, and in nanoseconds (adjtimex(2)).
func TestShowClock(t *testing.T) {
	at := time.Date(2026, 11, 27, 5, 0, 0, 999_000_000, time.UTC)
	for status, fraction := range map[int32]int64{0: 999_000, unix.STA_NANO: 999_000_000, unix.STA_UNSYNC: 999_000} {
		c := showClock(&unix.Timex{Time: unix.Timeval{Sec: at.Unix(), Usec: fraction}, Maxerror: 1500, Status: status})
		want := clockV4{ErrorBound: 1.5, At: at, Status: "SYNCHRONIZED"}
		if status == unix.STA_UNSYNC {
			want.Status = "NOT_SYNCHRONIZED"
		}
		if *c != want {
			t.Errorf("status %#x: %+v, want %+v", status, *c, want)
		}
	}
}
