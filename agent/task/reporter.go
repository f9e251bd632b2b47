package task

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// maxBatch is how many reports are handed over at once.
const maxBatch = 100

// reporter keeps the newest report of every task until the control plane has accepted it. Safe for concurrent use.
type reporter struct {
	send func(context.Context, []Report) error
	log  *slog.Logger
	wake chan struct{} // holds a token when there may be something to send

	mu      sync.Mutex
	pending map[string]*pending // by task ARN
	order   []string            // ARNs, the longest waiting first
	serial  uint64
}

type pending struct {
	report Report
	serial uint64
	told   bool // RUNNING was accepted before
	waits  bool // report is not accepted yet
	stops  func()
}

func newReporter(send func(context.Context, []Report) error, log *slog.Logger) *reporter {
	return &reporter{send: send, log: log, wake: make(chan struct{}, 1), pending: map[string]*pending{}}
}

// offer makes r the report to send for its task. accepted is called, from the reporter's goroutine, when the control
// plane has taken a STOPPED.
func (p *reporter) offer(r Report, accepted func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.pending[r.TaskArn]
	if e == nil {
		e = &pending{}
		p.pending[r.TaskArn] = e
	}
	if !e.waits {
		p.order = append(p.order, r.TaskArn)
	}
	p.serial++
	e.report, e.serial, e.waits, e.stops = r, p.serial, true, accepted
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// reports are what waits to be accepted, the longest waiting first.
func (p *reporter) reports() []Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Report
	for _, arn := range p.order {
		out = p.pending[arn].appendTo(out)
	}
	return out
}

// appendTo adds the report, and before a STOPPED the RUNNING that was never told: whoever counts tasks that failed to
// start must not count one that ran for a moment.
func (e *pending) appendTo(out []Report) []Report {
	if e.report.Status == StatusStopped && !e.report.StartedAt.IsZero() && !e.told {
		out = append(out, e.report.asRunning())
	}
	return append(out, e.report)
}

// run sends until ctx ends; a batch that is refused is tried again, renewed, after a back-off.
func (p *reporter) run(ctx context.Context) {
	failures := 0
	for {
		arns, serials, batch := p.next()
		if len(batch) == 0 {
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := p.send(ctx, batch)
		if err == nil {
			failures = 0
			p.accept(arns, serials)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		p.log.Warn("report tasks", "tasks", len(batch), "error", err)
		failures++
		if !sleep(ctx, min(firstRetry<<min(failures-1, 10), lastRetry)) {
			return
		}
	}
}

func (p *reporter) next() (arns []string, serials []uint64, batch []Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, arn := range p.order {
		if len(batch) >= maxBatch {
			break
		}
		e := p.pending[arn]
		arns, serials = append(arns, arn), append(serials, e.serial)
		batch = e.appendTo(batch)
	}
	return arns, serials, batch
}

// accept forgets what was sent, except where a newer report came meanwhile.
func (p *reporter) accept(arns []string, serials []uint64) {
	p.mu.Lock()
	var stopped []func()
	done := map[string]bool{}
	for i, arn := range arns {
		e := p.pending[arn]
		// A newer report may already be STOPPED, but then it was not what was sent.
		e.told = e.told || e.serial == serials[i] && e.report.Status != StatusPending
		if e.serial != serials[i] {
			continue
		}
		done[arn], e.waits = true, false
		if e.report.Status == StatusStopped {
			delete(p.pending, arn)
			if e.stops != nil {
				stopped = append(stopped, e.stops)
			}
		}
	}
	p.order = slices.DeleteFunc(p.order, func(arn string) bool { return done[arn] })
	p.mu.Unlock()
	for _, f := range stopped {
		f()
	}
}

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
