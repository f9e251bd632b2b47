package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
)

// What queries are held to.
const (
	maxQueries  = 100 // at work or waiting, of an account [D]
	keptQueries = 1000
	keptBytes   = 128 << 20          // of results, of all queries but the last
	keptTime    = 7 * 24 * time.Hour // after they have ended [D]
	queryTime   = 60 * time.Minute   // [D]
)

// A query is one that was started. It is in the memory of the member that leads, and gone with it.
type query struct {
	id     string
	scope  model.Scope
	text   string
	parsed *logquery.Query
	groups []*model.LogGroup
	window logstore.Query
	began  int64
	cancel context.CancelFunc // of the one that runs it

	// guarded by API.mu
	status  types.QueryStatus
	ended   int64
	results [][]types.ResultField
	size    int // of results, in bytes
	stats   types.QueryStatistics
}

func (q *query) over() bool {
	return q.status != types.QueryStatusScheduled && q.status != types.QueryStatusRunning
}

func (a *API) startQuery(ctx context.Context, in *cloudwatchlogs.StartQueryInput) (*cloudwatchlogs.StartQueryOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if in.QueryLanguage != "" && in.QueryLanguage != types.QueryLanguageCwli {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead serves the query language CWLI only.")
	}
	q := &query{id: uuidOf(a.NewID()), scope: s, text: *in.QueryString, began: a.now(), status: types.QueryStatusScheduled}
	if q.parsed, err = logquery.ParseQuery(q.text); err != nil {
		return nil, malformed(err)
	}
	if in.Limit != nil {
		if _, err := limit(in.Limit, "limit", 1, 10_000); err != nil {
			return nil, err
		}
		q.parsed.Limit(int(*in.Limit))
	}
	if q.groups, err = a.queriedGroups(ctx, in); err != nil {
		return nil, err
	}
	if q.window.From, q.window.To = millis(*in.StartTime), millis(*in.EndTime)+1; q.window.To <= q.window.From {
		return nil, malformedText("Query's end date and time is either before the log groups creation time or exceeds the log groups log retention settings") // [O]
	}
	q.window.Reverse = true
	return &cloudwatchlogs.StartQueryOutput{QueryId: &q.id}, a.schedule(q)
}

// millis: times of queries are seconds; those of clients that mean milliseconds are taken as such.
func millis(t int64) int64 {
	if t > 100_000_000_000 {
		return t
	}
	return t * 1000
}

func malformed(err error) error {
	e := model.Errorf("MalformedQueryException", "%s", err)
	if at, ok := errors.AsType[*logquery.QueryError](err); ok {
		e.Fields = map[string]any{"queryCompileError": map[string]any{
			"message": at.Message, "location": map[string]any{"startCharOffset": at.Start, "endCharOffset": at.End},
		}}
	}
	return e
}

func malformedText(text string) error { return model.Errorf("MalformedQueryException", "%s", text) }

// queriedGroups are the groups that a query names, in one of three ways.
func (a *API) queriedGroups(ctx context.Context, in *cloudwatchlogs.StartQueryInput) ([]*model.LogGroup, error) {
	ways := 0
	var rows []*model.LogGroup
	add := func(name, identifier *string) error {
		row, err := a.identify(ctx, name, identifier)
		rows = append(rows, row)
		return err
	}
	if in.LogGroupName != nil {
		ways++
		if err := add(in.LogGroupName, nil); err != nil {
			return nil, err
		}
	}
	for i := range in.LogGroupNames {
		if err := add(&in.LogGroupNames[i], nil); err != nil {
			return nil, err
		}
	}
	for i := range in.LogGroupIdentifiers {
		if err := add(nil, &in.LogGroupIdentifiers[i]); err != nil {
			return nil, err
		}
	}
	for _, n := range []int{len(in.LogGroupNames), len(in.LogGroupIdentifiers)} {
		ways += min(n, 1)
	}
	if ways != 1 {
		return nil, invalid("Exactly one of LogGroupName, LogGroupNames and LogGroupIdentifiers has to be given.") // [I]
	}
	return rows, nil
}

func (a *API) schedule(q *query) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	busy := 0
	for _, o := range a.queries {
		if o.scope == q.scope && !o.over() {
			busy++
		}
	}
	if busy >= maxQueries {
		return model.Errorf("LimitExceededException", "Resource limit exceeded.") // [O]
	}
	a.queries = append(a.queries, q)
	a.forget()
	a.rouse()
	return nil
}

// forget lets go of queries that have ended, from the oldest on, until what is kept of the others is within its limits. The caller holds mu.
func (a *API) forget() {
	count, size := len(a.queries), 0
	for _, q := range a.queries {
		size += q.size
	}
	newest := a.queries[len(a.queries)-1]
	a.queries = slices.DeleteFunc(a.queries, func(q *query) bool {
		old := q.over() && q.ended < a.now()-keptTime.Milliseconds()
		if q == newest || !q.over() || !old && count <= keptQueries && size <= keptBytes {
			return false
		}
		count, size = count-1, size-q.size
		return true
	})
}

// rouse wakes one of those that wait for queries. Whoever takes a query wakes the next, if there are more.
func (a *API) rouse() {
	select {
	case a.asked <- struct{}{}:
	default: // somebody will look
	}
}

// answer runs queries, the oldest first, until ctx ends.
func (a *API) answer(ctx context.Context) error {
	for {
		limited, cancel := context.WithTimeout(ctx, queryTime)
		if q := a.nextQuery(cancel); q != nil {
			results, stats, err := a.run(limited, q)
			a.finish(q, results, stats, err)
			cancel()
			continue
		}
		cancel()
		select {
		case <-a.asked:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// nextQuery takes the oldest query that waits, which cancel will stop; nil if there is none.
func (a *API) nextQuery(cancel context.CancelFunc) (taken *query) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.queries {
		switch {
		case q.status != types.QueryStatusScheduled:
		case taken != nil:
			a.rouse()
			return taken
		default:
			taken, q.status, q.cancel = q, types.QueryStatusRunning, cancel
		}
	}
	return taken
}

func (a *API) finish(q *query, results [][]types.ResultField, stats types.QueryStatistics, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q.ended = a.now(); q.over() { // stopped
		return
	}
	q.results, q.stats = results, stats
	for _, row := range results {
		for _, f := range row {
			q.size += len(*f.Field) + len(*f.Value) + eventOverhead
		}
	}
	defer a.forget()
	switch {
	case err == nil:
		q.status = types.QueryStatusComplete
	case errors.Is(err, context.DeadlineExceeded):
		q.status = types.QueryStatusTimeout
	default:
		q.status = types.QueryStatusFailed
		a.Log.Warn("run a query of logs", "query", q.id, "err", err)
	}
}

// run answers a query: events of each group from the newest on, those of several groups merged.
func (a *API) run(ctx context.Context, q *query) ([][]types.ResultField, types.QueryStatistics, error) {
	r := q.parsed.Start(q.began)
	stats := types.QueryStatistics{LogGroupsScanned: float64(len(q.groups))}
	var sources []source
	for _, row := range q.groups {
		g, err := a.Store.Group(row.ID)
		if err != nil {
			return nil, stats, err
		}
		w := q.window
		if row.RetentionDays > 0 {
			w.From = max(w.From, a.now()-days(row.RetentionDays))
		}
		s, stop := pull(row, g, w)
		defer stop()
		sources = append(sources, s)
	}
	for ctx.Err() == nil {
		s, err := newest(sources)
		if err != nil {
			return nil, stats, refusal(err)
		}
		if s == nil {
			break
		}
		s.ready = false
		stats.BytesScanned += float64(len(s.event.Message))
		stats.RecordsScanned++
		if !r.Add(logquery.Record{
			Time: s.event.Time, Ingested: s.event.Ingested, Message: s.event.Message, Stream: s.event.Stream,
			Log: s.row.Account + ":" + s.row.Name, Pointer: pointer(s.row, &s.event),
		}) {
			break
		}
	}
	rows := r.Rows()
	if err := cmp.Or(ctx.Err(), r.Err()); err != nil {
		return nil, stats, err
	}
	results := make([][]types.ResultField, 0, len(rows))
	for _, row := range rows {
		fields := make([]types.ResultField, 0, len(row))
		for _, f := range row {
			fields = append(fields, types.ResultField{Field: aws.String(f.Name), Value: aws.String(f.Value)})
		}
		results = append(results, fields)
	}
	stats.RecordsMatched, stats.ResultCount = float64(r.Matched()), float64(len(results))
	return results, stats, nil
}

func (a *API) getQueryResults(ctx context.Context, in *cloudwatchlogs.GetQueryResultsInput) (*cloudwatchlogs.GetQueryResultsOutput, error) {
	if in.MaxItems != nil || in.NextToken != nil {
		return nil, model.Errorf("UnsupportedFeatureException", "Roadstead answers all results of a query at once: leave maxItems and nextToken out.")
	}
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queryOf(s, *in.QueryId)
	if q == nil {
		return nil, errNoQuery(*in.QueryId)
	}
	out := &cloudwatchlogs.GetQueryResultsOutput{Status: q.status, Statistics: new(q.stats), Results: q.results, QueryLanguage: types.QueryLanguageCwli}
	if out.Results == nil {
		out.Results = [][]types.ResultField{}
	}
	return out, nil
}

func errNoQuery(id string) error {
	return model.Errorf("ResourceNotFoundException", "The specified query %s does not exist.", id) // [I]
}

// queryOf returns a query of the scope, nil if there is none. The caller holds mu.
func (a *API) queryOf(s model.Scope, id string) *query {
	for _, q := range a.queries {
		if q.id == id && q.scope == s {
			return q
		}
	}
	return nil
}

func (a *API) stopQuery(ctx context.Context, in *cloudwatchlogs.StopQueryInput) (*cloudwatchlogs.StopQueryOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queryOf(s, *in.QueryId)
	switch {
	case q == nil:
		return nil, errNoQuery(*in.QueryId)
	case q.over():
		return nil, invalid("The specified query has ended already and cannot be stopped.") // [I]
	}
	if q.status = types.QueryStatusCancelled; q.cancel != nil {
		q.cancel()
	}
	return &cloudwatchlogs.StopQueryOutput{Success: true}, nil
}

func (a *API) describeQueries(ctx context.Context, in *cloudwatchlogs.DescribeQueriesInput) (*cloudwatchlogs.DescribeQueriesOutput, error) {
	s, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	size, err := limit(in.MaxResults, "maxResults", 1000, 1000)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	var infos []types.QueryInfo
	for _, q := range a.queries {
		about := in.LogGroupName == nil || slices.ContainsFunc(q.groups, func(r *model.LogGroup) bool { return r.Name == *in.LogGroupName })
		if q.scope == s && about && (in.Status == "" || in.Status == q.status) {
			infos = append(infos, types.QueryInfo{
				CreateTime: aws.Int64(q.began), LogGroupName: aws.String(q.groups[0].Name), QueryId: aws.String(q.id),
				QueryLanguage: types.QueryLanguageCwli, QueryString: aws.String(q.text), Status: q.status,
			})
		}
	}
	a.mu.Unlock()
	slices.SortFunc(infos, func(x, y types.QueryInfo) int {
		return strings.Compare(latestFirst(*x.CreateTime, *x.QueryId), latestFirst(*y.CreateTime, *y.QueryId))
	})
	out := &cloudwatchlogs.DescribeQueriesOutput{Queries: []types.QueryInfo{}}
	infos, out.NextToken, err = pageOf("DescribeQueries", []string{s.Account, s.Region, value(in.LogGroupName), string(in.Status)}, infos,
		func(q types.QueryInfo) string { return latestFirst(*q.CreateTime, *q.QueryId) }, size, in.NextToken)
	out.Queries = append(out.Queries, infos...)
	return out, err
}
