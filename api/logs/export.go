package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

const (
	defaultExportPrefix = "exportedlogs" // [D]
	// writeTest is the object with which a new task shows that there is a bucket to write to [O], as its text.
	writeTest     = "aws-logs-write-test"
	writeTestText = "Permission Check Successful"
)

// createExportTask stores a task, which export then runs. Unlike in AWS, where a bucket's policy lets the service in, the caller has to be
// allowed to put the objects, and the bucket to be his account's.
func (a *API) createExportTask(ctx context.Context, in *cloudwatchlogs.CreateExportTaskInput) (*cloudwatchlogs.CreateExportTaskOutput, error) {
	group, g, err := a.open(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	e := &model.LogExport{
		Scope: group.Scope, ID: uuidOf(a.NewID()), Name: value(in.TaskName), Group: group.Name, GroupID: group.ID, Streams: value(in.LogStreamNamePrefix),
		From: *in.From, To: *in.To, Bucket: *in.Destination, Prefix: defaultExportPrefix, Status: string(types.ExportTaskStatusCodePending), CreatedAt: a.now(),
	}
	if in.DestinationPrefix != nil {
		e.Prefix = strings.TrimSuffix(*in.DestinationPrefix, "/")
	}
	if err := checkExport(e, group); err != nil {
		return nil, err
	}
	if err := oneExport(a.DB.Snapshot().Tables, e.Scope); err != nil {
		return nil, err
	}
	if err := a.tryBucket(ctx, e); err != nil {
		return nil, err
	}
	if err := g.SetMark(exportMark(e), 0); err != nil {
		return nil, refusal(err)
	}
	err = a.DB.Update(ctx, func(tx *state.Tx) error {
		if now, err := lookup(tx.Tables, e.Scope, &e.Group); err != nil || now.ID != e.GroupID {
			return errNoGroup()
		}
		if err := oneExport(tx.Tables, e.Scope); err != nil {
			return err
		}
		tx.LogExports.Put(e)
		return nil
	})
	if model.ErrorCode(err) != "" { // else it may have been stored
		_ = g.Unmark(exportMark(e))
	}
	_ = a.Hold(ctx, e.GroupID, 0) // others get the mark
	return &cloudwatchlogs.CreateExportTaskOutput{TaskId: &e.ID}, err
}

// exportMark is kept beside the events that a task is about. It says that they are on this member: another one that leads later has other
// events, and must not take them for these.
func exportMark(e *model.LogExport) string { return "export-" + e.ID }

func checkExport(e *model.LogExport, group *model.LogGroup) error {
	switch {
	case e.From < 0:
		return violation(e.From, "from", "Member must have value greater than or equal to 0")
	case e.To < 0:
		return violation(e.To, "to", "Member must have value greater than or equal to 0")
	case e.From > e.To:
		return invalid("The from time must not be later than the to time.") // [I]
	case e.To < group.CreatedAt: // the rule is [D], the words are [I]
		return invalid("The to time must not be earlier than the creation time of the log group.")
	case e.Bucket == "":
		return violation(e.Bucket, "destination", "Member must have length greater than or equal to 1")
	case len(e.Bucket) > 512:
		return violation(e.Bucket, "destination", "Member must have length less than or equal to 512")
	case len(e.Name) > 512:
		return violation(e.Name, "taskName", "Member must have length less than or equal to 512")
	case e.Streams != "":
		return checkStreamName(e.Streams)
	}
	return nil
}

// oneExport refuses a second active task of an account [D].
func oneExport(t *state.Tables, s model.Scope) error {
	for e := range t.LogExports.Prefix(s.Key("")) {
		if e.EndedAt == 0 {
			return model.Errorf("LimitExceededException", "Resource limit exceeded.") // [O]
		}
	}
	return nil
}

// tryBucket asks whether the caller may write what the task will, and writes a first object.
func (a *API) tryBucket(ctx context.Context, e *model.LogExport) error {
	test := exportKey(e.Prefix, writeTest)
	for _, key := range []string{test, exportKey(e.Prefix, e.ID) + "/"} {
		if err := a.MayDeposit(ctx, e.Bucket, key); err != nil {
			return err
		}
	}
	err := a.Deposit(ctx, e.Scope, e.Bucket, test, []byte(writeTestText))
	switch model.ErrorCode(err) {
	case "":
		return err
	case "NoSuchBucket":
		return invalid("The given bucket does not exist. Please make sure the bucket is valid.") // [O]
	case "AccessDenied":
		return invalid("PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to perform this operation.") // [O]
	}
	return invalid("The objects cannot be put into the bucket: %s", strings.TrimPrefix(err.Error(), model.ErrorCode(err)+": ")) // [I]
}

// exportKey is the key of an object below a prefix, which may be empty.
func exportKey(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "/" + name
}

// describeExportTasks lists them from the newest on [I].
func (a *API) describeExportTasks(ctx context.Context, in *cloudwatchlogs.DescribeExportTasksInput) (*cloudwatchlogs.DescribeExportTasksOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.Limit, "limit", 50, 50)
	if err != nil {
		return nil, err
	}
	if c := in.StatusCode; c != "" && !slices.Contains(c.Values(), c) {
		return nil, violation(c, "statusCode", "Member must satisfy enum value set: [CANCELLED, COMPLETED, FAILED, PENDING, PENDING_CANCEL, RUNNING]")
	}
	var rows []*model.LogExport
	for e := range a.DB.Snapshot().LogExports.Prefix(s.Key("")) {
		if (in.TaskId == nil || *in.TaskId == e.ID) && (in.StatusCode == "" || string(in.StatusCode) == e.Status) {
			rows = append(rows, e)
		}
	}
	key := func(e *model.LogExport) string { return latestFirst(e.CreatedAt, e.ID) }
	slices.SortFunc(rows, func(x, y *model.LogExport) int { return strings.Compare(key(x), key(y)) })
	out := &cloudwatchlogs.DescribeExportTasksOutput{ExportTasks: []types.ExportTask{}}
	rows, out.NextToken, err = pageOf("DescribeExportTasks", []string{s.Account, s.Region, value(in.TaskId), string(in.StatusCode)}, rows, key, size, in.NextToken)
	for _, e := range rows {
		out.ExportTasks = append(out.ExportTasks, showExport(e))
	}
	return out, err
}

func showExport(e *model.LogExport) types.ExportTask {
	out := types.ExportTask{
		TaskId: aws.String(e.ID), LogGroupName: aws.String(e.Group), From: aws.Int64(e.From), To: aws.Int64(e.To),
		Destination: aws.String(e.Bucket), DestinationPrefix: aws.String(e.Prefix),
		Status:        &types.ExportTaskStatus{Code: types.ExportTaskStatusCode(e.Status)},
		ExecutionInfo: &types.ExportTaskExecutionInfo{CreationTime: aws.Int64(e.CreatedAt)},
	}
	if e.Name != "" {
		out.TaskName = aws.String(e.Name)
	}
	if e.Message != "" {
		out.Status.Message = aws.String(e.Message)
	}
	if e.EndedAt != 0 {
		out.ExecutionInfo.CompletionTime = aws.Int64(e.EndedAt)
	}
	return out
}

// cancelExportTask asks a task to end: whoever runs it ends it.
func (a *API) cancelExportTask(ctx context.Context, in *cloudwatchlogs.CancelExportTaskInput) (*cloudwatchlogs.CancelExportTaskOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.CancelExportTaskOutput{}, a.DB.Update(ctx, func(tx *state.Tx) error {
		e, ok := tx.LogExports.Get(s.Key(*in.TaskId))
		switch {
		case !ok:
			return model.Errorf("ResourceNotFoundException", "The specified export task does not exist.") // [I] after those of groups
		case e.EndedAt != 0, e.Status == string(types.ExportTaskStatusCodePendingCancel): // [D] PENDING or RUNNING
			return model.Errorf("InvalidOperationException", "The operation is not valid on the specified resource.") // [D] of the exception
		}
		row := *e
		row.Status = string(types.ExportTaskStatusCodePendingCancel)
		tx.LogExports.Put(&row)
		return nil
	})
}
