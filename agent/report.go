package agent

import (
	"context"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

// report sends SubmitTaskStateChange for every task of a batch, many at a time but those of one task in order. A report
// that the control plane refuses for good is dropped, as the original agent does (AGENT-PROTOCOL §1.1).
func (l *link) report(ctx context.Context, batch []task.Report) error {
	var order []string
	byTask := map[string][]task.Report{}
	for _, r := range batch {
		l.endSessions(&r)
		if byTask[r.TaskArn] == nil {
			order = append(order, r.TaskArn)
		}
		byTask[r.TaskArn] = append(byTask[r.TaskArn], r)
	}
	return each(order, func(arn string) error {
		for _, r := range byTask[arn] {
			err := l.agent.client.Call(ctx, "ecs", "SubmitTaskStateChange", submission(l.agent.cfg.Cluster, &r), nil)
			if code := model.ErrorCode(err); code == "InvalidParameterException" || code == "ClusterNotFoundException" {
				l.log.Warn("report refused", "task", arn, "err", err)
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// endSessions ends what sessions have no command that would end with a container of the report.
func (l *link) endSessions(r *task.Report) {
	for i := range r.Containers {
		if c := &r.Containers[i]; c.Status == model.TaskStopped {
			l.agent.exec.ContainerStopped(r.TaskArn, c.Name)
		}
	}
}

func submission(cluster string, r *task.Report) acs.SubmitTaskStateChangeRequest {
	out := acs.SubmitTaskStateChangeRequest{
		Cluster: cluster, Task: r.TaskArn, Status: r.Status, Reason: r.Reason,
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
