package session

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// reports has what the agent says of its tasks written down, and answers when that is durable.
func (x *session) reports(m *acs.RoadsteadReports) {
	x.s.notes.add(note{account: x.inst.Account, at: time.Now().UnixMilli(), reports: m, done: func(unknown []string, err error) {
		answer := acs.RoadsteadReported{MessageID: m.MessageID, Unknown: unknown}
		switch {
		case errors.Is(err, state.ErrNotLeader):
			x.todo.end(errNotLeading) // the next leader is asked
			return
		case err != nil:
			x.s.cfg.Log.Warn("note what an agent reports", "instance", x.inst.ID, "cluster", x.inst.Cluster, "tasks", len(m.Reports), "err", err)
			answer.Error = err.Error()
		}
		x.todo.do(func(ctx context.Context) error { return x.conn.Send(ctx, answer) })
	}})
}

// read is the report as the task's lifecycle takes it.
func read(r *acs.SubmitTaskStateChangeRequest) model.Report {
	out := model.Report{Status: r.Status, Reason: r.Reason,
		PullStartedAt: millis(r.PullStartedAt), PullStoppedAt: millis(r.PullStoppedAt), ExecutionStoppedAt: millis(r.ExecutionStoppedAt)}
	out.Containers = make([]model.ContainerReport, len(r.Containers))
	for i := range r.Containers {
		c, to := &r.Containers[i], &out.Containers[i]
		*to = model.ContainerReport{Name: c.ContainerName, RuntimeID: c.RuntimeID, Digest: c.ImageDigest, Status: c.Status, Reason: c.Reason}
		if c.ExitCode != nil {
			to.Exited, to.ExitCode = true, *c.ExitCode
		}
		for _, b := range c.NetworkBindings {
			to.Bindings = append(to.Bindings, model.PortBinding{BindIP: b.BindIP, ContainerPort: b.ContainerPort, HostPort: b.HostPort,
				Protocol: b.Protocol, ContainerRange: b.ContainerPortRange, HostRange: b.HostPortRange})
		}
	}
	for _, a := range r.Attachments {
		out.Attachments = append(out.Attachments, model.Attachment{ID: a.AttachmentArn[strings.LastIndexByte(a.AttachmentArn, '/')+1:], Status: a.Status})
	}
	return out
}

// millis reads epoch seconds; 0 is none.
func millis(seconds float64) model.Millis { return model.Millis(math.Round(seconds * 1000)) }
