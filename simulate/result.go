package simulate

import (
	"context"
	"io"
	"slices"
	"time"
)

// Options say who gets to see a run.
type Options struct {
	// Story gets what a reader wants to see as it happens, Transcript every line. Either may be nil.
	Story, Transcript io.Writer
}

// Result is what came of a run.
type Result struct {
	// Digest is a hash of the transcript: two runs went the same way if it is equal.
	Digest string
	// Violations are what must never happen and did, at most twenty: tasks that nobody accounts for, nodes that are
	// oversold. None means that all invariants held.
	Violations []string
	// Placed is how many tasks have been given a node.
	Placed int

	until time.Duration
	sums  sums
	left  remains
	all   *load
	zones []*load
	nodes []*node
}

// Run plays the file from the beginning to its end. Errors are ctx's, those of the writers, and what the API says of a file
// that it does not take: refusals of later events are part of the transcript.
func (f *File) Run(ctx context.Context, o Options) (*Result, error) {
	b := newBooks(o.Transcript, o.Story, f.Until)
	w, err := newWorld(ctx, f, b)
	if err != nil {
		return nil, err
	}
	if err := w.found(); err != nil {
		return nil, err
	}
	w.script()
	if err := w.run(ctx); err != nil {
		return nil, err
	}
	left := w.audit()
	slices.Sort(b.sums.places)
	slices.Sort(b.sums.starts)
	return &Result{Digest: b.digest(), Violations: b.violations, Placed: b.sums.placed,
		until: f.Until, sums: b.sums, left: left, all: b.all, zones: b.zones, nodes: w.nodes}, b.err
}
