package logs

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

// pointer names an event in results of queries, as @ptr.
func pointer(row *model.LogGroup, e *logstore.Event) string { return row.ID + digits(e.At()) }

// getLogRecord returns all fields of the event that a pointer names.
func (a *API) getLogRecord(ctx context.Context, in *cloudwatchlogs.GetLogRecordInput) (*cloudwatchlogs.GetLogRecordOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	none := invalid("The specified logRecordPointer is invalid.") // [I]
	cut := max(len(*in.LogRecordPointer)-56, 0)
	id, place := (*in.LogRecordPointer)[:cut], (*in.LogRecordPointer)[cut:]
	at, _, err := parsePlace("f/" + place)
	if err != nil || at.Seq == 0 {
		return nil, none
	}
	rows := a.groups(s, "", "", "")
	i := slices.IndexFunc(rows, func(r *model.LogGroup) bool { return r.ID == id })
	if i < 0 {
		return nil, none
	}
	g, err := a.stored(ctx, rows[i])
	if err != nil {
		return nil, err
	}
	for e, err := range g.Events(logstore.Query{From: at.Time, To: at.Time + 1, After: logstore.Position{Time: at.Time, Seq: at.Seq - 1}}) {
		if err != nil {
			return nil, refusal(err)
		}
		if e.At() != at {
			break
		}
		record := logquery.Fields(e.Message)
		record["@message"], record["@logStream"], record["@log"] = e.Message, e.Stream, s.Account+":"+rows[i].Name
		record["@timestamp"], record["@ingestionTime"] = strconv.FormatInt(e.Time, 10), strconv.FormatInt(e.Ingested, 10)
		record["@ptr"] = *in.LogRecordPointer
		return &cloudwatchlogs.GetLogRecordOutput{LogRecord: record}, nil
	}
	return nil, model.Errorf("ResourceNotFoundException", "The specified log record does not exist.") // [I]
}

// What GetLogGroupFields looks at: events of a quarter of an hour [D], but not all of many.
const (
	sampledTime   = 15 * time.Minute
	sampledEvents = 1000
	sampledFields = 100
)

// getLogGroupFields says which fields the events of a group have, and how many of the events, in percent.
func (a *API) getLogGroupFields(ctx context.Context, in *cloudwatchlogs.GetLogGroupFieldsInput) (*cloudwatchlogs.GetLogGroupFieldsOutput, error) {
	row, err := a.identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	g, err := a.stored(ctx, row)
	if err != nil {
		return nil, err
	}
	q := logstore.Query{From: a.now() - sampledTime.Milliseconds(), Reverse: true}
	if in.Time != nil { // around it
		q.From = millis(*in.Time) - sampledTime.Milliseconds()/2
		q.To = q.From + sampledTime.Milliseconds()
	}
	counts, n := map[string]int{}, 0
	for e, err := range g.Events(q) {
		if err != nil {
			return nil, refusal(err)
		}
		for name := range logquery.Fields(e.Message) {
			counts[name]++
		}
		if n++; n >= sampledEvents {
			break
		}
	}
	if n > 0 {
		for _, name := range []string{"@timestamp", "@message", "@logStream", "@log", "@ingestionTime"} {
			counts[name] = n
		}
	}
	out := &cloudwatchlogs.GetLogGroupFieldsOutput{LogGroupFields: []types.LogGroupField{}}
	for name, count := range counts {
		out.LogGroupFields = append(out.LogGroupFields, types.LogGroupField{Name: aws.String(name), Percent: int32(100 * count / n)})
	}
	slices.SortFunc(out.LogGroupFields, func(a, b types.LogGroupField) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), strings.Compare(*a.Name, *b.Name))
	})
	out.LogGroupFields = out.LogGroupFields[:min(len(out.LogGroupFields), sampledFields)]
	return out, nil
}
