package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A payload that there was no room for is taken within a second of when there is some.
func TestAwaitRoom(t *testing.T) {
	full := fmt.Errorf("save 1 tasks: %w", &fs.PathError{Op: "write", Path: "journal", Err: syscall.ENOSPC})
	for _, c := range []struct {
		name  string
		until time.Duration // when there is room, or the other failure
		then  error
		limit time.Duration
		taken bool
		after time.Duration
	}{
		{"room comes", 6500 * time.Millisecond, nil, time.Minute, true, 7 * time.Second},
		{"another failure", 2500 * time.Millisecond, errors.New("the agent is shutting down"), time.Minute, false, 3 * time.Second},
		{"the connection ends", time.Hour, nil, 5500 * time.Millisecond, false, 5500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				began := time.Now()
				taken := awaitRoom(ctx, func() error {
					if time.Since(began) < c.until {
						return full
					}
					return c.then
				})
				want(t, "taken", taken, c.taken)
				want(t, "after", time.Since(began), c.after)
			})
		})
	}
}
