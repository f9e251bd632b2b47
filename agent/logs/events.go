package logs

import (
	"bufio"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
)

// Limits of one PutLogEvents [D], and of one event as Docker's awslogs driver cuts it.
const (
	eventOverhead  = 26
	maxEvent       = 256<<10 - eventOverhead
	maxBatchBytes  = 1 << 20
	maxBatchEvents = 10_000
	maxBatchSpan   = 24 * time.Hour
)

// An event is one line, or with a pattern for the beginning several.
type event struct {
	Timestamp int64  `json:"timestamp"` // epoch milliseconds
	Message   string `json:"message"`
}

// A batch is events for one call, made of the records of the file from where the reader began up to next.
type batch struct {
	events []event
	next   int64
	more   bool // there is more in the file
}

// An assembler makes events of records. Lines that were cut into several records become one again; with a pattern, lines that do
// not match it are added to the one before.
type assembler struct {
	begins *regexp.Regexp // nil: every line is an event
	floor  int64          // no event is older: the time of the last one that was sent
	events []event
	size   int
	open   map[string]*strings.Builder // lines whose end has not come, by stream
	since  map[string]int64            // their times
	block  *event                      // what the lines that follow are added to
	parts  *strings.Builder            // its text
}

func newAssembler(begins *regexp.Regexp, floor int64) *assembler {
	return &assembler{begins: begins, floor: floor, open: map[string]*strings.Builder{}, since: map[string]int64{}}
}

// clean says that all records so far are in events that are whole.
func (a *assembler) clean() bool { return len(a.open) == 0 && a.block == nil }

// add takes a record.
func (a *assembler) add(r *Record) {
	b := a.open[r.Stream]
	text, whole := strings.CutSuffix(r.Log, "\n")
	if b == nil {
		if whole {
			a.line(text, r.Time.UnixMilli())
			return
		}
		b = &strings.Builder{}
		a.open[r.Stream], a.since[r.Stream] = b, r.Time.UnixMilli()
	}
	b.WriteString(text)
	if whole || b.Len() > maxEvent-MaxLine {
		delete(a.open, r.Stream)
		a.line(b.String(), a.since[r.Stream])
	}
}

// startsBlock says whether the record begins an event, so that what is before it is whole.
func (a *assembler) startsBlock(r *Record) bool {
	return len(a.open) == 0 && a.block != nil && a.begins.MatchString(strings.TrimSuffix(r.Log, "\n"))
}

func (a *assembler) line(text string, at int64) {
	if a.begins == nil {
		a.emit(text, at)
		return
	}
	if a.block != nil && (a.begins.MatchString(text) || a.parts.Len()+1+len(text) > maxEvent) {
		a.endBlock()
	}
	if a.block == nil {
		a.block, a.parts = &event{Timestamp: at}, &strings.Builder{}
	} else {
		a.parts.WriteByte('\n')
	}
	a.parts.WriteString(text)
}

func (a *assembler) endBlock() {
	text, at := a.parts.String(), a.block.Timestamp
	a.block, a.parts = nil, nil
	a.emit(text, at)
}

// emit adds an event; empty ones are none for CloudWatch Logs.
func (a *assembler) emit(text string, at int64) {
	text = strings.TrimSuffix(text, "\r")
	if text == "" {
		return
	}
	a.floor = max(a.floor, at) // both streams are in one file: what comes first was first
	a.events = append(a.events, event{Timestamp: a.floor, Message: text})
	a.size += len(text) + eventOverhead
}

// end makes events of what is not whole: nothing will be added.
func (a *assembler) end() {
	for _, stream := range []string{Stdout, Stderr} {
		if b := a.open[stream]; b != nil {
			delete(a.open, stream)
			a.line(b.String(), a.since[stream])
		}
	}
	if a.block != nil {
		a.endBlock()
	}
}

// A span of a file: its records from offset on, up to until if that is not 0.
type span struct{ offset, until int64 }

// readBatch makes a batch of records. It ends where all events are whole, so that a reader can go on there. With flush, what is
// not whole at the file's end is taken as it is; at until, everything is.
func readBatch(path string, s span, a *assembler, flush bool) (batch, error) {
	f, err := os.Open(path)
	if err != nil {
		return batch{}, err
	}
	defer f.Close()
	if _, err := f.Seek(s.offset, io.SeekStart); err != nil {
		return batch{}, err
	}
	in := bufio.NewReaderSize(f, 64<<10)
	b := batch{next: s.offset}
	at := s.offset
	take := func() { b.events, b.next = a.events, at }
	for s.until == 0 || at < s.until {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return batch{}, err
		}
		r, err := ParseRecord(line)
		if err != nil { // torn by a machine that lost power
			at += int64(len(line))
			continue
		}
		if a.startsBlock(&r) {
			a.endBlock()
			take()
		}
		if s.until == 0 && a.full(&r) {
			if b.next == s.offset { // nothing is whole in as much as a call takes: cut
				a.end()
				take()
			}
			b.more = true
			return b, nil
		}
		a.add(&r)
		if at += int64(len(line)); a.clean() {
			take()
		}
	}
	if flush || s.until != 0 {
		a.end()
		take()
	}
	return b, nil
}

// full says that with the record, and what is not whole yet, the events might be too many for a call.
func (a *assembler) full(r *Record) bool {
	if len(a.events) == 0 {
		return false
	}
	return len(a.events) > maxBatchEvents-4 || a.size+3*(maxEvent+eventOverhead) > maxBatchBytes ||
		r.Time.UnixMilli()-a.events[0].Timestamp > (maxBatchSpan-time.Hour).Milliseconds()
}
