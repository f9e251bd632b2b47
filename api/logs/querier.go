package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/logquery"
	"github.com/roadstead/roadstead/model"
)

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
		g, err := a.stored(ctx, row)
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
