package ecs

import (
	"context"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// discoverPollEndpoint tells an agent where to open its websockets (AGENT-PROTOCOL §1.1).
func (a *api) discoverPollEndpoint(ctx context.Context, in *sdk.DiscoverPollEndpointInput) (*sdk.DiscoverPollEndpointOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	i := (*model.Instance)(nil)
	if c, err := findCluster(t, who.Scope(), in.Cluster); err == nil {
		i, _, _ = findNode(t, c, value(in.ContainerInstance)) // whoever asks without a name is not one of ours
	}
	endpoint, telemetry := a.PollEndpoint(i == nil || i.Stock())
	return &sdk.DiscoverPollEndpointOutput{Endpoint: &endpoint, TelemetryEndpoint: &telemetry, ServiceConnectEndpoint: &endpoint}, nil
}

// submitTask takes an agent's report of a task and its containers.
func (a *api) submitTask(ctx context.Context, in *sdk.SubmitTaskStateChangeInput) (*sdk.SubmitTaskStateChangeOutput, error) {
	r := model.Report{Status: value(in.Status), Reason: value(in.Reason), PullStartedAt: millis(in.PullStartedAt),
		PullStoppedAt: millis(in.PullStoppedAt), ExecutionStoppedAt: millis(in.ExecutionStoppedAt)}
	for i := range in.Containers {
		c := &in.Containers[i]
		r.Containers = append(r.Containers, model.ContainerReport{Name: value(c.ContainerName), RuntimeID: value(c.RuntimeId),
			Digest: value(c.ImageDigest), Status: value(c.Status), Exited: c.ExitCode != nil, ExitCode: value(c.ExitCode),
			Reason: value(c.Reason), Bindings: readBindings(c.NetworkBindings)})
	}
	r.Attachments = readAttachments(in.Attachments)
	if err := a.observe(ctx, in.Cluster, in.Task, r); err != nil {
		return nil, err
	}
	return &sdk.SubmitTaskStateChangeOutput{Acknowledgment: new("")}, nil
}

// submitContainer takes an agent's report of one container; it says nothing of the task.
func (a *api) submitContainer(ctx context.Context, in *sdk.SubmitContainerStateChangeInput) (*sdk.SubmitContainerStateChangeOutput, error) {
	err := a.observe(ctx, in.Cluster, in.Task, model.Report{Containers: []model.ContainerReport{{
		Name: value(in.ContainerName), RuntimeID: value(in.RuntimeId), Status: value(in.Status), Exited: in.ExitCode != nil,
		ExitCode: value(in.ExitCode), Reason: value(in.Reason), Bindings: readBindings(in.NetworkBindings)}}})
	if err != nil {
		return nil, err
	}
	return &sdk.SubmitContainerStateChangeOutput{Acknowledgment: new("")}, nil
}

// submitAttachments takes an agent's report of attachments without their tasks, which are looked for. Attachments of the
// instance itself are not ours to keep.
func (a *api) submitAttachments(ctx context.Context, in *sdk.SubmitAttachmentStateChangesInput) (*sdk.SubmitAttachmentStateChangesOutput, error) {
	who, err := principal(ctx)
	if err != nil {
		return nil, err
	}
	t := a.DB.Snapshot().Tables
	c, err := findCluster(t, who.Scope(), in.Cluster)
	if err != nil {
		return nil, err
	}
	reports := map[string]model.Report{} // by task ARN
	for _, at := range readAttachments(in.Attachments) {
		if task := attachedTo(t, c, at.ID); task != nil {
			r := reports[task.ARN()]
			r.Attachments = append(r.Attachments, at)
			reports[task.ARN()] = r
		}
	}
	for _, arn := range sorted(reports) {
		if err := a.observe(ctx, in.Cluster, &arn, reports[arn]); err != nil {
			return nil, err
		}
	}
	return &sdk.SubmitAttachmentStateChangesOutput{Acknowledgment: new("")}, nil
}

// attachedTo returns the task on an instance of the cluster that has the attachment, nil if there is none.
func attachedTo(t *state.Tables, c *model.Cluster, attachment string) *model.Task {
	for i := range t.InstancesOf(c.Scope, c.Name) {
		for task := range t.TasksOn(i.Key()) {
			if slices.ContainsFunc(task.Attachments, func(a model.Attachment) bool { return a.ID == attachment }) {
				return task
			}
		}
	}
	return nil
}

// observe moves a task on by a report. Repeats, late and backward reports change nothing (model.Task.Observe). An
// unknown task is an InvalidParameterException: the agent drops the event instead of repeating it for ever.
func (a *api) observe(ctx context.Context, cluster, task *string, r model.Report) error {
	who, err := principal(ctx)
	if err != nil {
		return err
	}
	now := a.nowMillis()
	return a.DB.Update(ctx, func(tx *state.Tx) error {
		c, err := findCluster(tx.Tables, who.Scope(), cluster)
		if err != nil {
			return errNoTask() // an agent would repeat ClusterNotFoundException for ever
		}
		have, err := reportedTask(tx.Tables, c, value(task))
		switch {
		case err != nil:
			return err
		case have == nil:
			return errNoTask()
		}
		if seen, changed := have.Observe(r, now); changed {
			tx.Tasks.Put(&seen)
		}
		return nil
	})
}

func readBindings(bs []types.NetworkBinding) []model.PortBinding {
	var out []model.PortBinding
	for i := range bs {
		b := &bs[i]
		out = append(out, model.PortBinding{BindIP: value(b.BindIP), ContainerPort: value(b.ContainerPort), HostPort: value(b.HostPort),
			Protocol: string(b.Protocol), ContainerRange: value(b.ContainerPortRange), HostRange: value(b.HostPortRange)})
	}
	return out
}

// readAttachments reads attachment/UUID out of the ARNs.
func readAttachments(as []types.AttachmentStateChange) []model.Attachment {
	var out []model.Attachment
	for i := range as {
		arn := value(as[i].AttachmentArn)
		out = append(out, model.Attachment{ID: arn[strings.LastIndexByte(arn, '/')+1:], Status: value(as[i].Status)})
	}
	return out
}
