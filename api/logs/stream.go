package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

func (a *API) createLogStream(ctx context.Context, in *cloudwatchlogs.CreateLogStreamInput) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	if err := checkStreamName(*in.LogStreamName); err != nil {
		return nil, err
	}
	row, g, err := a.open(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.CreateLogStreamOutput{}, a.held(ctx, row, g, g.CreateStream(*in.LogStreamName, a.now()))
}

func (a *API) deleteLogStream(ctx context.Context, in *cloudwatchlogs.DeleteLogStreamInput) (*cloudwatchlogs.DeleteLogStreamOutput, error) {
	if err := checkStreamName(*in.LogStreamName); err != nil {
		return nil, err
	}
	row, g, err := a.open(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteLogStreamOutput{}, a.held(ctx, row, g, g.DeleteStream(*in.LogStreamName))
}

func (a *API) describeLogStreams(ctx context.Context, in *cloudwatchlogs.DescribeLogStreamsInput) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	size, err := limit(in.Limit, "limit", 50, 50)
	if err != nil {
		return nil, err
	}
	byTime := in.OrderBy == types.OrderByLastEventTime
	switch {
	case in.OrderBy != "" && !slices.Contains(in.OrderBy.Values(), in.OrderBy):
		return nil, violation(in.OrderBy, "orderBy", "Member must satisfy enum value set: [LogStreamName, LastEventTime]")
	case byTime && in.LogStreamNamePrefix != nil:
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.") // [O]
	}
	row, err := a.identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	g, err := a.stored(ctx, row)
	if err != nil {
		return nil, err
	}
	streams := slices.DeleteFunc(g.Streams(), func(s logstore.Stream) bool { return !strings.HasPrefix(s.Name, value(in.LogStreamNamePrefix)) })
	key, order := func(s logstore.Stream) string { return s.Name }, strings.Compare
	if byTime {
		key = func(s logstore.Stream) string { return fmt.Sprintf("%019d %s", s.Last, s.Name) }
	}
	if value(in.Descending) {
		order = func(a, b string) int { return strings.Compare(b, a) }
	}
	slices.SortFunc(streams, func(a, b logstore.Stream) int { return order(key(a), key(b)) })
	filters := []string{row.ID, value(in.LogStreamNamePrefix), string(in.OrderBy), map[bool]string{true: "descending"}[value(in.Descending)]}
	out := &cloudwatchlogs.DescribeLogStreamsOutput{LogStreams: []types.LogStream{}}
	streams, out.NextToken, err = pageBy("DescribeLogStreams", filters, streams, key, order, size, in.NextToken)
	for _, s := range streams {
		out.LogStreams = append(out.LogStreams, showStream(row, s))
	}
	return out, err
}

func showStream(row *model.LogGroup, s logstore.Stream) types.LogStream {
	out := types.LogStream{
		Arn: aws.String(row.ARN() + ":log-stream:" + s.Name), LogStreamName: aws.String(s.Name), CreationTime: aws.Int64(s.CreatedAt),
		StoredBytes: aws.Int64(0), // [D] always, since 2019
	}
	if s.Events > 0 {
		out.FirstEventTimestamp, out.LastEventTimestamp = aws.Int64(s.First), aws.Int64(s.Last)
		out.LastIngestionTime = aws.Int64(s.Ingested)
		out.UploadSequenceToken = aws.String(sequenceToken(row, s.Name))
	}
	return out
}
