//go:build e2e

package e2e_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// sink is the destination of a subscription filter, which fails now and then.
type sink struct {
	mu       sync.Mutex
	calls    int
	controls int
	twice    int      // events that came again
	ids      []string // of events, as they came first
	seen     map[string]bool
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls++; s.calls%5 == 4 {
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var m struct {
		MessageType string
		LogEvents   []struct{ ID string }
	}
	if err := json.NewDecoder(z).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if m.MessageType == "CONTROL_MESSAGE" {
		s.controls++
		return
	}
	for _, e := range m.LogEvents {
		if s.seen[e.ID] {
			s.twice++
			continue
		}
		s.seen[e.ID] = true
		s.ids = append(s.ids, e.ID)
	}
}

// TestSubscriptionFilter kills the server while events are written that a filter sends on: each one that is stored arrives, and in their
// order.
func TestSubscriptionFilter(t *testing.T) {
	to := &sink{seen: map[string]bool{}}
	destination := httptest.NewServer(to)
	defer destination.Close()
	e := NewServer(t, "--log-destinations", destination.URL+"/in")
	group, stream := aws.String("/e2e"), aws.String("s")
	_, err := e.logs().CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	must(t, err)
	_, err = e.logs().CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	must(t, err)
	filter := &cloudwatchlogs.PutSubscriptionFilterInput{
		LogGroupName: group, FilterName: aws.String("f"), FilterPattern: aws.String("-quiet"), DestinationArn: aws.String(destination.URL + "/elsewhere"),
	}
	if _, err := e.logs().PutSubscriptionFilter(t.Context(), filter); err == nil || to.calls != 0 {
		t.Errorf("a http:// URL that the operator has not named: %v, %d calls", err, to.calls)
	}
	filter.DestinationArn = aws.String(destination.URL + "/in")
	_, err = e.logs().PutSubscriptionFilter(t.Context(), filter)
	must(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ { // what was not acknowledged is given up: it is there or not
			now := aws.Int64(time.Now().UnixMilli())
			_, _ = e.logs().PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: []types.InputLogEvent{
				{Message: aws.String(fmt.Sprint("line ", i)), Timestamp: now}, {Message: aws.String("quiet"), Timestamp: now},
			}})
			<-time.NewTimer(2 * time.Millisecond).C
		}
	})
	received := func(more int) int {
		least := 0
		poll(t, 2*patience, func(context.Context) error {
			to.mu.Lock()
			defer to.mu.Unlock()
			if least = max(least, more); len(to.ids) < least {
				return errAgain(fmt.Sprintf("%d events, want %d", len(to.ids), least))
			}
			least = len(to.ids)
			return nil
		})
		return least
	}
	for range 4 {
		n := received(0)
		received(n + 200)
		e.Server.Kill9()
		e.Server.again()
	}
	received(received(0) + 200)
	cancel()
	writer.Wait()
	var stored []string
	for p := cloudwatchlogs.NewFilterLogEventsPaginator(e.logs(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, FilterPattern: aws.String("line")}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		must(t, err)
		for _, l := range out.Events {
			stored = append(stored, *l.EventId)
		}
	}
	received(len(stored))
	to.mu.Lock()
	defer to.mu.Unlock()
	if !slices.Equal(to.ids, stored) || to.controls != 1 {
		t.Errorf("%d events are stored, %d came, with %d control messages", len(stored), len(to.ids), to.controls)
	}
	t.Logf("%d events, %d of them twice, in %d calls", len(stored), to.twice, to.calls)
}
