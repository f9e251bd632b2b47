package logs

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/wire"
)

// maxScan is how many bytes of messages one FilterLogEvents looks through, about, before it answers what it has, and a token.
const maxScan = 64 << 20

func (a *API) filterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	size, err := limit(in.Limit, "limit", maxPageEvents, maxPageEvents)
	if err != nil {
		return nil, err
	}
	pattern, err := parsePattern(in.FilterPattern)
	if err != nil {
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
	q, err := a.window(row, in.StartTime, in.EndTime)
	if err != nil {
		return nil, err
	}
	if q.Streams, err = chooseStreams(g, in.LogStreamNames, in.LogStreamNamePrefix); err != nil {
		return nil, err
	}
	q.Reverse = in.StartFromHead != nil && !*in.StartFromHead
	bound := append([]string{row.ID, value(in.FilterPattern), value(in.LogStreamNamePrefix)}, in.LogStreamNames...)
	if in.NextToken != nil {
		last, err := parseToken("FilterLogEvents", bound, *in.NextToken)
		if err != nil {
			return nil, err
		}
		if q.After, _, err = parsePlace(last); err != nil {
			return nil, err
		}
	}
	found, next, err := filterPage(ctx, g, q, pattern, size, maxScan)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{Events: make([]types.FilteredLogEvent, 0, len(found)), SearchedLogStreams: []types.SearchedLogStream{}}
	for i := range found {
		e := &found[i]
		out.Events = append(out.Events, types.FilteredLogEvent{
			EventId: aws.String(digits(e.At())), IngestionTime: aws.Int64(e.Ingested), LogStreamName: aws.String(e.Stream),
			Message: aws.String(e.Message), Timestamp: aws.Int64(e.Time),
		})
	}
	if next != nil {
		out.NextToken = aws.String(wire.PageToken("FilterLogEvents", bound, "f/"+digits(*next)))
	}
	return out, nil
}

// parsePattern reads a filter pattern; nil matches everything.
func parsePattern(text *string) (*logquery.Pattern, error) {
	if len(value(text)) > 1024 {
		return nil, violation(*text, "filterPattern", "Member must have length less than or equal to 1024")
	}
	p, err := logquery.ParsePattern(value(text))
	if err != nil {
		return nil, invalid("Invalid filter pattern: %s", strings.TrimPrefix(err.Error(), "Invalid filter pattern: "))
	}
	return p, nil
}

// chooseStreams returns the names of the streams that are asked for, nil for all.
func chooseStreams(g *logstore.Group, names []string, prefix *string) ([]string, error) {
	switch {
	case len(names) > 0 && prefix != nil:
		return nil, invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.") // [I]
	case len(names) > 100:
		return nil, violation(names, "logStreamNames", "Member must have length less than or equal to 100")
	case prefix != nil:
		chosen := []string{}
		for _, s := range g.Streams() {
			if strings.HasPrefix(s.Name, *prefix) {
				chosen = append(chosen, s.Name)
			}
		}
		return chosen, nil
	}
	for _, n := range names {
		if _, ok := g.Stream(n); !ok {
			return nil, errNoStream()
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return names, nil
}

// filterPage returns the next events that match, and where to go on if there may be more. It looks through about most bytes.
func filterPage(ctx context.Context, g *logstore.Group, q logstore.Query, p *logquery.Pattern, size, most int) (
	found []logstore.Event, next *logstore.Position, err error,
) {
	var at logstore.Position
	bytes, scanned := 0, 0
	// Once enough has been looked through every event is let through: the next one is where the page ends.
	q.Match = func(message string) bool {
		scanned += len(message) + eventOverhead
		return scanned > most || ctx.Err() != nil || p.Match(message)
	}
	for e, err := range g.Events(q) {
		switch {
		case err != nil:
			return nil, nil, refusal(err)
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case len(found) >= size:
			return found, &at, nil
		}
		if p.Match(e.Message) {
			if bytes += len(e.Message) + eventOverhead; bytes > maxPageBytes && len(found) > 0 {
				return found, &at, nil
			}
			found = append(found, e)
		}
		if at = e.At(); scanned > most {
			return found, &at, nil
		}
	}
	return found, nil, nil
}
