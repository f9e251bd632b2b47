package simulate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"
)

// books are what a run writes down.
type books struct {
	full  io.Writer // every line; may be nil
	story io.Writer // the lines that a reader wants to see; may be nil
	hash  hash.Hash // of every line
	line  bytes.Buffer
	err   error // of the first write that did not succeed

	sums       sums
	violations []string // what must never be

	width time.Duration // of a bucket of gauges
	all   *load
	zones []*load
}

// sums are the tasks by what became of them, and the waits of all of them.
type sums struct {
	asked, placed                                             int
	finished, failed, broken, stopped, lost, givenUp, refused int

	places, starts []time.Duration // from the order to the placement, and to RUNNING

	running, homeless gauge // tasks that run, and those that want a place and have none
}

func newBooks(full, story io.Writer, until time.Duration) *books {
	width := max(until/columns, time.Millisecond)
	b := &books{full: full, story: story, hash: sha256.New(), width: width, all: newLoad("all", width)}
	b.sums.running.width, b.sums.homeless.width = width, width
	return b
}

// log writes a line of the transcript.
func (w *world) log(format string, args ...any) { w.write(false, format, args...) }

// tell writes a line of the transcript that belongs to the story.
func (w *world) tell(format string, args ...any) { w.write(true, format, args...) }

func (w *world) write(story bool, format string, args ...any) {
	b := w.books
	b.line.Reset()
	b.line.WriteString(clock(w.now))
	b.line.WriteString("  ")
	fmt.Fprintf(&b.line, format, args...)
	b.line.WriteByte('\n')
	b.hash.Write(b.line.Bytes())
	b.copy(b.full)
	if story {
		b.copy(b.story)
	}
}

func (b *books) copy(to io.Writer) {
	if to == nil || b.err != nil {
		return
	}
	_, b.err = to.Write(b.line.Bytes())
}

// digest is a short hash of the transcript.
func (b *books) digest() string { return hex.EncodeToString(b.hash.Sum(nil)[:8]) }

// violate notes something that must never be. The first few are enough.
func (w *world) violate(format string, args ...any) {
	if len(w.violations) == maxViolations {
		return
	}
	what := fmt.Sprintf(format, args...)
	w.violations = append(w.violations, clock(w.now)+"  "+what)
	w.tell("VIOLATION: %s", what)
}

const maxViolations = 20
