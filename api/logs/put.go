package logs

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

// What one PutLogEvents may bring [D].
const (
	maxBatchEvents = 10_000
	maxBatchBytes  = 1 << 20 // of messages, and eventOverhead for each
	eventOverhead  = 26
	maxBatchSpan   = 24 * time.Hour
	maxAge         = 14 * 24 * time.Hour
	maxAhead       = 2 * time.Hour
)

func (a *API) putLogEvents(ctx context.Context, in *cloudwatchlogs.PutLogEventsInput) (*cloudwatchlogs.PutLogEventsOutput, error) {
	if err := checkStreamName(*in.LogStreamName); err != nil {
		return nil, err
	}
	if err := checkBatch(in.LogEvents); err != nil {
		return nil, err
	}
	row, g, err := a.open(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if _, ok := g.Stream(*in.LogStreamName); !ok {
		return nil, errNoStream()
	}
	now := a.now()
	from, to, rejected := accepted(in.LogEvents, now, row.RetentionDays)
	events := make([]logstore.Event, 0, to-from)
	for _, e := range in.LogEvents[from:to] {
		events = append(events, logstore.Event{Time: *e.Timestamp, Message: *e.Message})
	}
	key, err := a.dataKey(ctx, row)
	if err != nil {
		return nil, err
	}
	if err := a.held(ctx, row, g, g.AppendLocked(*in.LogStreamName, events, now, key)); err != nil {
		return nil, err
	}
	// The sequence token of the request means nothing since 2023 [D]; old clients need one in the answer.
	return &cloudwatchlogs.PutLogEventsOutput{
		NextSequenceToken: aws.String(sequenceToken(row, *in.LogStreamName)), RejectedLogEventsInfo: rejected,
	}, nil
}

// checkBatch refuses what makes a whole call invalid.
func checkBatch(events []types.InputLogEvent) error {
	if len(events) == 0 { // [D]
		return violation("[]", "logEvents", "Member must have length greater than or equal to 1")
	}
	if len(events) > maxBatchEvents {
		return invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length less than or equal to %d",
			maxBatchEvents)
	}
	size := 0
	for i, e := range events {
		if *e.Message == "" {
			return violation("", fmt.Sprintf("logEvents.%d.member.message", i+1), "Member must have length greater than or equal to 1")
		}
		if *e.Timestamp < 0 {
			return violation(*e.Timestamp, fmt.Sprintf("logEvents.%d.member.timestamp", i+1), "Member must have value greater than or equal to 0")
		}
		if i > 0 && *e.Timestamp < *events[i-1].Timestamp {
			return invalid("Log events in a single PutLogEvents request must be in chronological order.") // [O]
		}
		size += len(*e.Message) + eventOverhead
	}
	switch {
	case size > maxBatchBytes:
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatchBytes) // [O]
	case *events[len(events)-1].Timestamp-*events[0].Timestamp > maxBatchSpan.Milliseconds():
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.") // [O]
	}
	return nil
}

// accepted says which events are taken, [from, to), and what is told of the others: those that are too old, those that retention
// would remove at once, and those from the future. Times are epoch milliseconds.
func accepted(events []types.InputLogEvent, now int64, retentionDays int32) (from, to int, rejected *types.RejectedLogEventsInfo) {
	old, expired, ahead := 0, 0, len(events)
	for i, e := range events {
		switch t := *e.Timestamp; {
		case t < now-maxAge.Milliseconds():
			old = i + 1
		case retentionDays > 0 && t < now-days(retentionDays):
			expired = i + 1
		case t > now+maxAhead.Milliseconds():
			ahead = min(ahead, i)
		}
	}
	info := types.RejectedLogEventsInfo{}
	if old > 0 {
		info.TooOldLogEventEndIndex, rejected = aws.Int32(int32(old)), &info
	}
	if expired > 0 {
		info.ExpiredLogEventEndIndex, rejected = aws.Int32(int32(expired)), &info
	}
	if ahead < len(events) {
		info.TooNewLogEventStartIndex, rejected = aws.Int32(int32(ahead)), &info
	}
	return min(max(old, expired), ahead), ahead, rejected
}

func days(n int32) int64 { return int64(n) * (24 * time.Hour).Milliseconds() }

// sequenceToken looks like AWS's: 56 digits.
func sequenceToken(row *model.LogGroup, stream string) string {
	h := fnv.New64a()
	h.Write([]byte(row.ID + stream))
	return fmt.Sprintf("49%054d", h.Sum64())
}
