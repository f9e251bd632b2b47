package logs

import (
	"context"
	"errors"
	"fmt"
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

	maxQueryString = 10_000 // characters [D]
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
	if err := checkQueryString(*in.QueryString, 0); err != nil {
		return nil, err
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

// checkQueryString: a query is at most so long [D].
func checkQueryString(text string, least int) error {
	if len(text) < least || len(text) > maxQueryString {
		return violation(text, "queryString", fmt.Sprintf("Member must have length between %d and %d", least, maxQueryString))
	}
	return nil
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
	q.status, q.ended = types.QueryStatusCancelled, a.now()
	if q.cancel != nil {
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
