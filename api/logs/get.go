package logs

import (
	"context"
	"math/big"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

// A page of events has at most so many, and bytes of messages [D].
const (
	maxPageEvents = 10_000
	maxPageBytes  = 1 << 20
)

func (a *API) getLogEvents(ctx context.Context, in *cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
	size, err := limit(in.Limit, "limit", maxPageEvents, maxPageEvents)
	if err != nil {
		return nil, err
	}
	if err := checkStreamName(*in.LogStreamName); err != nil {
		return nil, err
	}
	row, err := a.identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	g, err := a.stored(ctx, row)
	if err != nil {
		return nil, err
	}
	if _, ok := g.Stream(*in.LogStreamName); !ok {
		return nil, errNoStream()
	}
	q, err := a.window(row, in.StartTime, in.EndTime)
	if err != nil {
		return nil, err
	}
	q.Streams, q.Reverse = []string{*in.LogStreamName}, !value(in.StartFromHead)
	if in.NextToken != nil {
		if q.After, q.Reverse, err = parsePlace(*in.NextToken); err != nil {
			return nil, err
		}
	}
	events, err := pageOfEvents(ctx, g, q, size)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.GetLogEventsOutput{Events: make([]types.OutputLogEvent, 0, len(events))}
	for i := range events {
		e := &events[i]
		out.Events = append(out.Events, types.OutputLogEvent{
			IngestionTime: aws.Int64(e.Ingested), Message: aws.String(e.Message), Timestamp: aws.Int64(e.Time),
		})
	}
	forward, backward := places(events, q)
	out.NextForwardToken, out.NextBackwardToken = aws.String("f/"+digits(forward)), aws.String("b/"+digits(backward))
	return out, nil
}

// window is the time in which a reader looks: what he asks for, but not what retention has taken from him.
func (a *API) window(row *model.LogGroup, start, end *int64) (logstore.Query, error) {
	q := logstore.Query{From: value(start)}
	if q.From < 0 || value(end) < 0 {
		return q, violation(min(q.From, value(end)), "startTime", "Member must have value greater than or equal to 0")
	}
	if end != nil {
		if q.To = *end; q.To < q.From {
			return q, invalid("Start time must not be greater than end time.") // [I]
		}
		q.To = max(q.To, 1)
	}
	if row.RetentionDays > 0 {
		q.From = max(q.From, a.now()-days(row.RetentionDays))
	}
	return q, nil
}

// pageOfEvents reads events of a query until there are enough of them, and returns them from the oldest on.
func pageOfEvents(ctx context.Context, g *logstore.Group, q logstore.Query, size int) ([]logstore.Event, error) {
	var events []logstore.Event
	bytes := 0
	for e, err := range g.Events(q) {
		if err != nil {
			return nil, refusal(err)
		}
		if bytes += len(e.Message) + eventOverhead; len(events) > 0 && bytes > maxPageBytes {
			break
		}
		if events = append(events, e); len(events) >= size || ctx.Err() != nil {
			break
		}
	}
	if q.Reverse {
		slices.Reverse(events)
	}
	return events, ctx.Err()
}

// places are where the next pages begin. At an end the token that led there comes back [D].
func places(events []logstore.Event, q logstore.Query) (forward, backward logstore.Position) {
	switch {
	case len(events) > 0:
		return events[len(events)-1].At(), events[0].At()
	case q.After == logstore.Position{}:
		return logstore.Position{Time: q.From}, logstore.Position{Time: q.From}
	case q.Reverse: // the place itself was the last event that the caller has: it is not before it
		return q.After.Before(), q.After
	}
	return q.After, q.After.Behind()
}

// digits writes a place as AWS writes its own: 56 digits. It is also the id of the event there.
func digits(p logstore.Position) string { return p.Text() }

func parsePlace(token string) (p logstore.Position, reverse bool, err error) {
	way, number, _ := strings.Cut(token, "/")
	n, ok := new(big.Int).SetString(number, 10)
	if !ok || n.Sign() < 0 || len(number) != 56 || way != "f" && way != "b" {
		return p, false, invalid("The specified nextToken is invalid.") // [O]
	}
	seq := new(big.Int).And(n, new(big.Int).SetUint64(1<<64-1)).Uint64()
	n.Rsh(n, 64)
	if !n.IsInt64() {
		return p, false, invalid("The specified nextToken is invalid.")
	}
	return logstore.Position{Time: n.Int64(), Seq: seq}, way == "b", nil
}
