package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

// told is a message of reports for whichever connection there is, and who waits for its answer; answer has room for one.
type told struct {
	reports *acs.RoadsteadReports
	answer  chan error
}

// report tells the control plane of tasks, over the next connection if there is none, and returns when what it says is durable
// there. What the control plane does not know is dropped, as the original agent does (AGENT-PROTOCOL §1.1).
func (l *link) report(ctx context.Context, batch []task.Report) error {
	m := &acs.RoadsteadReports{MessageID: uuid.NewString(), Reports: make([]acs.SubmitTaskStateChangeRequest, len(batch))}
	for i := range batch {
		l.endSessions(&batch[i])
		m.Reports[i] = submission(&batch[i])
	}
	t := told{reports: m, answer: make(chan error, 1)}
	select {
	case l.reports <- t:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-t.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answerPatience is how long the control plane may take to answer reports.
const answerPatience = 30 * time.Second

var (
	errUnanswered = fmt.Errorf("reports: no answer within %s", answerPatience)
	errCut        = errors.New("reports: the connection ended before the answer")
)

// tellReports sends reports, one message after the other, until ctx ends, with the connection.
func (l *link) tellReports(ctx context.Context, conn *acs.Conn) {
	for {
		select {
		case t := <-l.reports:
			t.answer <- l.tell(ctx, conn, t.reports)
		case <-l.answers: // too late
		case <-ctx.Done():
			return
		}
	}
}

func (l *link) tell(ctx context.Context, conn *acs.Conn, m *acs.RoadsteadReports) error {
	if err := conn.Send(ctx, m); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	late := time.NewTimer(answerPatience)
	defer late.Stop()
	for {
		select {
		case a := <-l.answers:
			if a.MessageID != m.MessageID {
				continue // of one that was given up
			}
			for _, arn := range a.Unknown {
				l.log.Warn("the control plane does not know a task", "task", arn)
			}
			if a.Error != "" {
				return fmt.Errorf("reports: the control plane cannot take them: %s", a.Error)
			}
			return nil
		case <-late.C:
			return errUnanswered
		case <-ctx.Done():
			return errCut
		}
	}
}

// answered passes an answer to who waits for it.
func (l *link) answered(ctx context.Context, a *acs.RoadsteadReported) error {
	select {
	case l.answers <- a:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endSessions ends what sessions have no command that would end with a container of the report.
func (l *link) endSessions(r *task.Report) {
	for i := range r.Containers {
		if c := &r.Containers[i]; c.Status == model.TaskStopped {
			l.agent.exec.ContainerStopped(r.TaskArn, c.Name)
		}
	}
}

func submission(r *task.Report) acs.SubmitTaskStateChangeRequest {
	out := acs.SubmitTaskStateChangeRequest{
		Task: r.TaskArn, Status: r.Status, Reason: r.Reason,
		PullStartedAt: seconds(r.PullStartedAt), PullStoppedAt: seconds(r.PullStoppedAt), ExecutionStoppedAt: seconds(r.ExecutionStoppedAt),
	}
	for i := range r.Containers {
		c := &r.Containers[i]
		change := acs.ContainerChange{
			ContainerName: c.Name, RuntimeID: c.RuntimeID, ImageDigest: c.ImageDigest, Status: c.Status, ExitCode: c.ExitCode, Reason: c.Reason,
		}
		for _, b := range c.Bindings {
			change.NetworkBindings = append(change.NetworkBindings, acs.NetworkBinding{
				BindIP: b.BindIP, ContainerPort: b.ContainerPort, HostPort: b.HostPort, Protocol: b.Protocol,
				ContainerPortRange: b.ContainerRange, HostPortRange: b.HostRange,
			})
		}
		out.Containers = append(out.Containers, change)
	}
	for _, a := range r.Attachments {
		if a.AttachmentArn != "" {
			out.Attachments = append(out.Attachments, acs.AttachmentState{AttachmentArn: a.AttachmentArn, Status: a.Status})
		}
	}
	return out
}

// seconds is the time as the API takes it: seconds since the epoch, 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
