package fleet

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
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

// tell reports the task that has waited longest, and whether there was one. A task that ran is told as RUNNING before it is
// told as STOPPED; what the control plane refuses for good is dropped (AGENT-PROTOCOL §1.1).
func (n *Node) tell(ctx context.Context) (bool, error) {
	n.mu.Lock()
	if len(n.news) == 0 {
		n.mu.Unlock()
		return false, nil
	}
	t := n.news[0]
	n.news = n.news[1:]
	t.untold = false
	report, first := t.report(n.cfg.Cluster), t.phase == stopped && !t.startedAt.IsZero() && !t.ranTold
	early := t.asRunning(n.cfg.Cluster)
	n.mu.Unlock()

	var err error
	if first {
		err = n.submit(ctx, &early)
	}
	if err == nil {
		err = n.submit(ctx, &report)
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.tasks[t.arn] != t: // the node was reset meanwhile
	case err != nil:
		if !t.untold {
			t.untold = true
			n.news = append(n.news, t)
		}
	default:
		n.count.Reports++
		t.ranTold = t.ranTold || report.Status != "PENDING"
		if report.Status == "STOPPED" {
			delete(n.tasks, t.arn)
			n.over[t.arn] = struct{}{}
		}
	}
	return true, err
}

func (n *Node) submit(ctx context.Context, r *acs.SubmitTaskStateChangeRequest) error {
	err := n.api.Call(ctx, "ecs", "SubmitTaskStateChange", r, nil)
	if code := model.ErrorCode(err); code == "InvalidParameterException" || code == "ClusterNotFoundException" {
		n.cfg.Log.Warn("report refused", "node", n.machine.Name, "task", r.Task, "err", err)
		return nil
	}
	return err
}
