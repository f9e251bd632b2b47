package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Pauses after a report that was not taken, as of our agent.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// live moves the tasks on as their time comes, and tells the control plane, until ctx ends.
func (n *Node) live(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var pause time.Duration
	var retryAt time.Time
	for ctx.Err() == nil {
		wake := n.advance(time.Now())
		if !time.Now().Before(retryAt) {
			told, err := n.tell(ctx)
			if err != nil {
				pause = min(max(2*pause, firstRetry), lastRetry)
				retryAt = time.Now().Add(pause)
			} else {
				pause = 0
			}
			if told {
				continue
			}
		} else if wake.IsZero() || retryAt.Before(wake) {
			wake = retryAt
		}
		if wake.IsZero() {
			wake = time.Now().Add(time.Hour)
		}
		timer.Reset(time.Until(wake))
		select {
		case <-n.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// advance moves all tasks on and returns when the next one is to, zero if none is.
func (n *Node) advance(now time.Time) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	var next time.Time
	for _, t := range n.tasks {
		was := t.untold
		t.move(now)
		n.note(t, was)
		for _, due := range []time.Time{t.due, n.checkup(t, now)} {
			if !due.IsZero() && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
	}
	return next
}

// maxReports are told at once.
const maxReports = 100

// telling is a task whose report is under way.
type telling struct {
	t      *task
	status string
}

// tell reports the tasks that have waited longest, and whether there were any. A task that ran is told as RUNNING before it is
// told as STOPPED.
func (n *Node) tell(ctx context.Context) (bool, error) {
	now, reports := n.takeNews()
	if len(now) == 0 {
		return false, nil
	}
	err := n.send(ctx, reports)
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range now {
		switch t := x.t; {
		case n.tasks[t.arn] != t: // the node was reset meanwhile
		case err != nil:
			if !t.untold {
				t.untold = true
				n.news = append(n.news, t)
			}
		default:
			n.count.Reports++
			t.ranTold = t.ranTold || x.status != "PENDING"
			if x.status == "STOPPED" {
				delete(n.tasks, t.arn)
				n.over[t.arn] = struct{}{}
			}
		}
	}
	return true, err
}

// takeNews takes news off the queue.
func (n *Node) takeNews() (now []telling, reports []acs.SubmitTaskStateChangeRequest) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.news) > 0 && len(reports) < maxReports {
		t := n.news[0]
		n.news = n.news[1:]
		t.untold = false
		if t.phase == stopped && !t.startedAt.IsZero() && !t.ranTold {
			reports = append(reports, t.asRunning())
		}
		r := t.report()
		now, reports = append(now, telling{t, r.Status}), append(reports, r)
	}
	return now, reports
}

// told is a message of reports, and who waits for its answer, which has room for one.
type told struct {
	reports acs.RoadsteadReports
	answer  chan error
}

// submit sends reports over the next connection, and returns when they are taken. Like our agent it says what the control plane
// does not know only once (docs/decisions/042).
func (n *Node) submit(ctx context.Context, reports []acs.SubmitTaskStateChangeRequest) error {
	m := told{acs.RoadsteadReports{MessageID: n.newID(), Reports: reports}, make(chan error, 1)}
	select {
	case n.reports <- m:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-m.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newID names a message.
func (n *Node) newID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.draw()
}

var errCut = errors.New("the connection ended before the answer")

// answerPatience is how long an answer may take, as with our agent.
const answerPatience = 30 * time.Second

// tellReports sends reports over the connection, one message after the other, until ctx ends.
func (n *Node) tellReports(ctx context.Context, s *socket) {
	for {
		select {
		case m := <-n.reports:
			m.answer <- n.exchange(ctx, s, &m.reports)
		case <-n.answers: // too late
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) exchange(ctx context.Context, s *socket, m *acs.RoadsteadReports) error {
	if err := s.send(m); err != nil {
		return err
	}
	late := time.NewTimer(answerPatience)
	defer late.Stop()
	for {
		select {
		case a := <-n.answers:
			if a.MessageID != m.MessageID {
				continue
			}
			if len(a.Unknown) > 0 {
				n.cfg.Log.Warn("reports of unknown tasks", "node", n.machine.Name, "tasks", a.Unknown)
			}
			if a.Error != "" {
				return errors.New(a.Error)
			}
			return nil
		case <-late.C:
			return errCut
		case <-ctx.Done():
			return errCut
		}
	}
}

// answered passes an answer to who waits for it.
func (n *Node) answered(ctx context.Context, a *acs.RoadsteadReported) error {
	select {
	case n.answers <- a:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
