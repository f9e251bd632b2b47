package controller

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"github.com/roadstead/roadstead/state"
)

// Loop is one controller: a function from the head to what it changes, asked again for a key whenever something that it
// looks at changed. Its functions may run in any goroutine; a key is never reconciled twice at once.
type Loop struct {
	Name string // for logs and metrics: "place"
	// Touched appends to dst the keys that a changed row concerns: it is asked of every change, so it must be quick.
	Touched func(dst []string, c *state.Change) []string
	// All yields every key that may have work to do: it is asked when a term begins and when changes were missed.
	All func(t *state.Tables) iter.Seq[string]
	// Due says of a durable snapshot when Reconcile would next have something to do: not after now is now, zero is only
	// when touched. It spares the head a look. Nil means that Reconcile is always asked.
	Due func(t *state.Tables, key string, now time.Time) time.Time
	// Reconcile looks at the rows and writes what follows from them. It is asked again at wake (not after now: at once,
	// but behind the others), and not by itself if wake is zero. A key whose rows are gone is no error.
	Reconcile func(tx *state.Tx, key string, now time.Time) (wake time.Time, err error)
	// Pace is how long a change waits at least for the next look at its key after the last. What changes meanwhile is
	// looked at together. It does not hold up wake.
	Pace time.Duration
	// Settle is how long after the beginning of a term nothing is looked at, because what the loop judges by may still
	// come in.
	Settle time.Duration
}

// Job is one key of one loop, to be looked at now.
type Job struct {
	Loop *Loop
	Key  string

	entry *entry
}

// Look returns whether Reconcile has to be asked at now, and if not, when.
func (j Job) Look(t *state.Tables, now time.Time) (due bool, wake time.Time, err error) {
	if j.Loop.Due == nil {
		return true, time.Time{}, nil
	}
	defer contain(&err)
	wake = j.Loop.Due(t, j.Key, now)
	return !wake.IsZero() && !wake.After(now), wake, nil
}

// Do reconciles the key.
func (j Job) Do(tx *state.Tx, now time.Time) (wake time.Time, err error) {
	defer contain(&err)
	return j.Loop.Reconcile(tx, j.Key, now)
}

// contain makes a panic an error, so that it is the misfortune of one key.
func contain(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}
