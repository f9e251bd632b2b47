package metadata

import (
	"time"

	"golang.org/x/sys/unix"
)

// clockV4 says how far the node's clock may be off [D].
type clockV4 struct {
	ErrorBound float64   `json:"ClockErrorBound,omitempty"` // ms
	At         time.Time `json:"ReferenceTimestamp,omitzero"`
	Status     string    `json:"ClockSynchronizationStatus,omitempty"`
}

// readClock asks the kernel, which is told by whatever keeps the clock; nil if it does not say.
func readClock() *clockV4 {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return nil
	}
	return showClock(&t)
}

// showClock: where the kernel counts nanoseconds, they stand in the place of microseconds.
func showClock(t *unix.Timex) *clockV4 {
	fraction := time.Microsecond
	if t.Status&unix.STA_NANO != 0 {
		fraction = time.Nanosecond
	}
	c := &clockV4{
		ErrorBound: float64(t.Maxerror) / 1000, At: time.Unix(t.Time.Sec, 0).Add(time.Duration(t.Time.Usec) * fraction).UTC(), Status: "SYNCHRONIZED",
	}
	if t.Status&unix.STA_UNSYNC != 0 {
		c.Status = "NOT_SYNCHRONIZED"
	}
	return c
}
