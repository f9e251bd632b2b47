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

// reports moves tasks on by what their agent says of them, all in one transaction, and answers when that is durable. What is
// known already costs none: an agent says again what it did not hear the answer to.
func (x *session) reports(ctx context.Context, m *acs.RoadsteadReports) error {
	now := time.Now().UnixMilli()
	seen := observed(x.s.cfg.DB.Snapshot().Tables, x.inst.Account, m, now)
	if len(seen.tasks) > 0 {
		err := x.s.cfg.DB.Update(ctx, func(tx *state.Tx) error {
			seen = observed(tx.Tables, x.inst.Account, m, now)
			for _, t := range seen.tasks {
				tx.Tasks.Put(t)
			}
			return nil
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, state.ErrNotLeader):
			return errNotLeading // the next leader is asked
		case err != nil:
			x.s.cfg.Log.Warn("note what an agent reports", "instance", x.inst.ID, "cluster", x.inst.Cluster, "tasks", len(m.Reports), "err", err)
			return x.conn.Send(ctx, acs.RoadsteadReported{MessageID: m.MessageID, Error: err.Error()})
		}
	}
	return x.conn.Send(ctx, acs.RoadsteadReported{MessageID: m.MessageID, Unknown: seen.unknown})
}

// observation is what reports change.
type observation struct {
	tasks   map[string]*model.Task // as they are now, by key
	unknown []string               // ARNs of tasks that do not exist
}

// observed are the tasks that the reports change. Repeated, late and backward reports change nothing (model.Task.Observe).
func observed(t *state.Tables, account string, m *acs.RoadsteadReports, now model.Millis) observation {
	out := observation{tasks: map[string]*model.Task{}}
	for i := range m.Reports {
		r := &m.Reports[i]
		task, ok := findTask(t, account, r.Task)
		if !ok {
			out.unknown = append(out.unknown, r.Task)
			continue
		}
		if earlier, ok := out.tasks[task.Key()]; ok {
			task = earlier
		}
		if next, changed := task.Observe(read(r), now); changed {
			out.tasks[task.Key()] = &next
		}
	}
	return out
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
