package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
)

// followEvery is how often more is asked for.
const followEvery = 500 * time.Millisecond

// logPrinter prints logs of a task's containers.
type logPrinter struct {
	client         *client.Client
	task           taskRef
	tail           int // 0 for all
	follow         bool
	named          bool // lines begin with their container's name
	stdout, stderr io.Writer

	open *logLine // the last one, if the end of its line is still to come
	said string   // what was said of there being nothing last time, "" if there was something
}

func newLogPrinter(c *client.Client, task taskRef, tail int, follow bool, stdout, stderr io.Writer) *logPrinter {
	return &logPrinter{client: c, task: task, tail: tail, follow: follow, stdout: stdout, stderr: stderr}
}

// logCursor is how far a container's log has been read.
type logCursor struct {
	container string
	offset    int64     // where the next page begins; negative for so many records before the end
	ahead     []logLine // read and not printed
	empty     bool      // there was no more when it was read last
	stopped   bool      // nothing more will come
}

// logLine is a record of a container's log: a line, or a part of a long one.
type logLine struct {
	container string
	stderr    bool
	at        time.Time
	text      string
}

// print prints the logs of the containers in the order of their records' times. What is written while it follows comes in the order
// in which it is seen, half a second at a time.
func (p *logPrinter) print(ctx context.Context, containers []string) error {
	cursors := make([]*logCursor, len(containers))
	for i, name := range containers {
		cursors[i] = &logCursor{container: name, offset: -int64(p.tail)}
	}
	for {
		done, err := p.printAll(ctx, cursors)
		switch {
		case p.follow && ctx.Err() != nil:
			return nil // interrupted: not a failure
		case err != nil && !(p.follow && p.passes(err)):
			return err
		case err == nil && (done || !p.follow):
			return nil
		}
		_ = pause(ctx, followEvery)
	}
}

// passes says of an error that it is for now, as while a server is restarted or a task has not started: what is followed is asked for
// again.
func (p *logPrinter) passes(err error) bool {
	text := explain(err)
	hint, news := "Trying again until it answers, or Ctrl-C.", "away" // however it is away
	switch {
	case model.ErrorCode(err) == "" || strings.Contains(text, "is not connected"):
	case strings.Contains(text, "has not started"):
		hint, news = "Waiting until it does, or Ctrl-C.", text
	default:
		return false
	}
	if news != p.said {
		fmt.Fprintf(p.stderr, "roadstead: %s\n%s\n", text, hint)
	}
	p.said = news
	return true
}

// printAll prints what is there. Done says that nothing more will come.
func (p *logPrinter) printAll(ctx context.Context, cursors []*logCursor) (done bool, err error) {
	for _, c := range cursors {
		c.empty = false
	}
	for {
		var first *logCursor
		done = true
		for _, c := range cursors {
			if err := p.read(ctx, c); err != nil {
				return false, err
			}
			if len(c.ahead) > 0 && (first == nil || c.ahead[0].at.Before(first.ahead[0].at)) {
				first = c
			}
			done = done && c.stopped
		}
		if first == nil {
			return done, nil
		}
		p.write(&first.ahead[0])
		first.ahead = first.ahead[1:]
	}
}

// read reads a page if all that was read has been printed, and there was more.
func (p *logPrinter) read(ctx context.Context, c *logCursor) error {
	if len(c.ahead) > 0 || c.empty || c.stopped {
		return nil
	}
	q := url.Values{"cluster": {p.task.cluster}, "container": {c.container}, "offset": {strconv.FormatInt(c.offset, 10)}}
	var page struct {
		Records []acs.LogRecord `json:"records"`
		Offset  int64           `json:"offset"`
		Stopped bool            `json:"stopped"`
	}
	if err := p.client.Do(ctx, "GET", "/roadstead/v1/tasks/"+url.PathEscape(p.task.id)+"/logs?"+q.Encode(), nil, &page); err != nil {
		return err
	}
	for _, r := range page.Records {
		at, _ := time.Parse(time.RFC3339Nano, r.Time) // without a time it comes first
		c.ahead = append(c.ahead, logLine{container: c.container, stderr: r.Stream == "stderr", at: at, text: r.Log})
	}
	c.offset, p.said = page.Offset, ""
	c.empty = len(page.Records) == 0
	c.stopped = c.empty && page.Stopped
	return nil
}

// write prints a record. With names, the parts of a long line stay together, unless another container's line comes between them.
func (p *logPrinter) write(r *logLine) {
	if p.named {
		same := p.open != nil && p.open.container == r.container && p.open.stderr == r.stderr
		if p.open != nil && !same {
			fmt.Fprintln(p.writer(p.open))
		}
		if !same {
			fmt.Fprint(p.writer(r), r.container, " | ")
		}
		if p.open = nil; !strings.HasSuffix(r.text, "\n") {
			p.open = r
		}
	}
	fmt.Fprint(p.writer(r), r.text)
}

func (p *logPrinter) writer(r *logLine) io.Writer {
	if r.stderr {
		return p.stderr
	}
	return p.stdout
}
