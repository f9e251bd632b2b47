package logs_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/test/steady"
	"github.com/roadstead/roadstead/wire"
)

// anyHost finds the endpoint under every name: the SDK puts "stream-" before its host.
func (w *world) anyHost(t *testing.T) func(*sdk.Options) {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", w.address)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return func(o *sdk.Options) { o.HTTPClient = &http.Client{Transport: steady.Transport{Base: tr}} }
}

// The SDK reads a session: its start, and what comes into the group from then on.
func TestLiveTail(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g", "web/1", "db/1")
	w.put(t, "g", "web/1", "0 ERROR before")
	out, err := w.StartLiveTail(t.Context(), &sdk.StartLiveTailInput{
		LogGroupIdentifiers: []string{"arn:aws:logs:us-east-1:000000000000:log-group:g"}, LogEventFilterPattern: aws.String("ERROR"),
		LogStreamNamePrefixes: []string{"web/"},
	}, w.anyHost(t))
	must(t, err)
	stream := out.GetStream()
	defer stream.Close()
	start, ok := (<-stream.Events()).(*types.StartLiveTailResponseStreamMemberSessionStart)
	if !ok || *start.Value.LogEventFilterPattern != "ERROR" || len(*start.Value.SessionId) != 36 || *start.Value.RequestId == "" ||
		start.Value.LogGroupIdentifiers[0] != "arn:aws:logs:us-east-1:000000000000:log-group:g" || start.Value.LogStreamNamePrefixes[0] != "web/" {
		t.Fatalf("the session begins with %+v", start)
	}
	w.put(t, "g", "web/1", "1 ERROR one", "1 fine")
	w.put(t, "g", "db/1", "1 ERROR elsewhere")
	w.create(t, "later")
	_, err = w.CreateLogStream(t.Context(), &sdk.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("web/2")})
	must(t, err)
	w.put(t, "g", "web/2", "1 ERROR two")
	var got []types.LiveTailSessionLogEvent
	for e := range stream.Events() {
		update, ok := e.(*types.StartLiveTailResponseStreamMemberSessionUpdate)
		if !ok || update.Value.SessionMetadata.Sampled {
			t.Fatalf("got %+v", e)
		}
		if got = append(got, update.Value.SessionResults...); len(got) >= 2 {
			break
		}
	}
	if e := got[0]; len(got) != 2 || *e.Message != "ERROR one" || *e.LogStreamName != "web/1" || *e.LogGroupIdentifier != "000000000000:g" ||
		*e.Timestamp != begin.UnixMilli()+1000 || *e.IngestionTime != begin.UnixMilli() || *got[1].Message != "ERROR two" {
		t.Errorf("got %+v", got)
	}
}

// What is refused is refused before a stream begins.
func TestLiveTailRefused(t *testing.T) {
	w := newWorld(t)
	w.create(t, "g")
	w.create(t, "h")
	_, err := w.CreateLogGroup(t.Context(), &sdk.CreateLogGroupInput{LogGroupName: aws.String("rare"), LogGroupClass: types.LogGroupClassInfrequentAccess})
	must(t, err)
	const arn = "arn:aws:logs:us-east-1:000000000000:log-group:"
	for _, c := range []struct {
		in         sdk.StartLiveTailInput
		code, text string
	}{
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "none"}}, "ResourceNotFoundException", "The specified log group does not exist."},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{}}, "InvalidParameterException", "'logGroupIdentifiers'"},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: slices.Repeat([]string{arn + "g"}, 11)}, "InvalidParameterException", "less than or equal to 10"},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "g:*"}}, "InvalidParameterException", "asterisk"},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "g", arn + "h"}, LogStreamNames: []string{"s"}}, "InvalidParameterException", "single log group"},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "g"}, LogStreamNames: []string{"s"}, LogStreamNamePrefixes: []string{"s"}}, "InvalidParameterException", "mutually exclusive"},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "g"}, LogEventFilterPattern: aws.String("a:b")}, "InvalidParameterException", "Invalid filter pattern"},
		{sdk.StartLiveTailInput{LogGroupIdentifiers: []string{arn + "rare"}}, "InvalidOperationException", "STANDARD"},
	} {
		_, err := w.StartLiveTail(t.Context(), &c.in, w.anyHost(t))
		wantError(t, err, c.code, c.text)
	}
	_, err = w.other.StartLiveTail(t.Context(), &sdk.StartLiveTailInput{LogGroupIdentifiers: []string{"g"}}, w.anyHost(t))
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
}

// bubble is an API in a bubble, with one group, and without connections.
type bubble struct {
	api   *logs.API
	group *logstore.Group
	now   func() int64
}

func inBubble(t *testing.T, f func(ctx context.Context, t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := state.Open(state.Config{Backend: state.NewMemory().Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
		store, err := logstore.Open(logstore.Config{Dir: t.TempDir()})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- db.Run(ctx) }()
		must(t, db.AwaitLead(ctx))
		n := 0
		a := logs.New(logs.Config{DB: db, Store: store, NewID: func() string { n++; return fmt.Sprintf("%032d", n) }})
		b := &bubble{api: a, now: func() int64 { return time.Now().UnixMilli() }}
		caller := auth.WithPrincipal(ctx, auth.Principal{Account: "000000000000", Region: "us-east-1", Kind: model.KeyRoot})
		_, err = wire.Invoke[sdk.CreateLogGroupOutput](caller, a.Mux(), "CreateLogGroup", &sdk.CreateLogGroupInput{LogGroupName: aws.String("g")})
		must(t, err)
		b.group, err = store.Group(fmt.Sprintf("%032d", 1))
		must(t, err)
		must(t, b.group.CreateStream("s", 1))
		f(caller, t, b)
		cancel()
		<-ended
		must(t, store.Close())
	})
}

func (b *bubble) tail(ctx context.Context, t *testing.T) wire.Stream {
	t.Helper()
	s, err := logs.StartLiveTail(b.api, ctx, &sdk.StartLiveTailInput{LogGroupIdentifiers: []string{"g"}})
	must(t, err)
	return s
}

// A session has an update every second, whether anything came or not, and ends after three hours [D].
func TestLiveTailTime(t *testing.T) {
	inBubble(t, func(ctx context.Context, t *testing.T, b *bubble) {
		began, updates := time.Now(), 0
		var end error
		for e, err := range b.tail(ctx, t) {
			if err != nil {
				end = err
				continue
			}
			u, ok := e.Payload.(*types.LiveTailSessionUpdate)
			if !ok {
				continue
			}
			if updates++; u.SessionResults == nil || len(u.SessionResults) != 0 || time.Since(began) != time.Duration(updates)*time.Second {
				t.Fatalf("update %d after %s: %+v", updates, time.Since(began), u)
			}
		}
		if model.ErrorCode(end) != "SessionTimeoutException" || time.Since(began) != 3*time.Hour || updates < 3*3600-1 {
			t.Errorf("ended with %v after %s and %d updates", end, time.Since(began), updates)
		}
	})
}

// More than 500 events in a second are sampled, evenly; none of them comes twice [D].
func TestLiveTailSamples(t *testing.T) {
	for _, n := range []int{500, 501, 1000, 1001, 12345} {
		inBubble(t, func(ctx context.Context, t *testing.T, b *bubble) {
			var got []string
			updates := 0
			for e := range b.tail(ctx, t) {
				u, ok := e.Payload.(*types.LiveTailSessionUpdate)
				if !ok {
					var events []logstore.Event
					for i := range n {
						events = append(events, logstore.Event{Time: b.now(), Message: fmt.Sprintf("%05d", i)})
					}
					must(t, b.group.Append("s", events, b.now()))
					continue
				}
				for _, e := range u.SessionResults {
					got = append(got, *e.Message)
				}
				if updates++; updates == 1 && u.SessionMetadata.Sampled != (n > 500) {
					t.Errorf("%d events: sampled is %v", n, u.SessionMetadata.Sampled)
				}
				if updates == 2 {
					break
				}
			}
			widest, last := 0, -1
			for _, m := range got {
				var i int
				fmt.Sscanf(m, "%d", &i)
				widest, last = max(widest, i-last), i
			}
			if len(got) != 500 || !slices.IsSorted(got) || max(widest, n-last) > 2*(n/500+1) {
				t.Errorf("%d of %d events, the widest gap %d: %s...", len(got), n, max(widest, n-last), strings.Join(got[:min(len(got), 5)], " "))
			}
		})
	}
}

// A group's end does not end the session, nor does it count sessions that are over.
func TestLiveTailsAreCounted(t *testing.T) {
	inBubble(t, func(ctx context.Context, t *testing.T, b *bubble) {
		var ends []context.CancelFunc
		for range 15 {
			one, cancel := context.WithCancel(ctx)
			ends = append(ends, cancel)
			b.tail(one, t)
		}
		_, err := logs.StartLiveTail(b.api, ctx, &sdk.StartLiveTailInput{LogGroupIdentifiers: []string{"g"}})
		if model.ErrorCode(err) != "LimitExceededException" {
			t.Errorf("the sixteenth: %v", err)
		}
		ends[7]()
		synctest.Wait()
		updates := 0
		for e, err := range b.tail(ctx, t) {
			if _, ok := e.Payload.(*types.LiveTailSessionStart); ok {
				_, err := wire.Invoke[sdk.DeleteLogGroupOutput](ctx, b.api.Mux(), "DeleteLogGroup", &sdk.DeleteLogGroupInput{LogGroupName: aws.String("g")})
				must(t, err)
			}
			if must(t, err); updates == 3 {
				break
			}
			updates++
		}
		for _, end := range ends {
			end()
		}
	})
}

// A member that does not lead any more sees nothing, and says so.
func TestLiveTailEndsWithTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := state.NewMemory()
		db := state.Open(state.Config{Backend: memory.Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
		store, err := logstore.Open(logstore.Config{Dir: t.TempDir()})
		must(t, err)
		defer store.Close()
		running, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error)
		go func() { ended <- db.Run(running) }()
		must(t, db.AwaitLead(running))
		a := logs.New(logs.Config{DB: db, Store: store, NewID: func() string { return strings.Repeat("a", 32) }})
		ctx := auth.WithPrincipal(t.Context(), auth.Principal{Account: "000000000000", Region: "us-east-1", Kind: model.KeyRoot})
		_, err = wire.Invoke[sdk.CreateLogGroupOutput](ctx, a.Mux(), "CreateLogGroup", &sdk.CreateLogGroupInput{LogGroupName: aws.String("g")})
		must(t, err)
		s, err := logs.StartLiveTail(a, ctx, &sdk.StartLiveTailInput{LogGroupIdentifiers: []string{"g"}})
		must(t, err)
		var end error
		for e, err := range s {
			if end = err; err == nil {
				if _, first := e.Payload.(*types.LiveTailSessionStart); first {
					stop()
					if err := <-ended; !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
			}
		}
		if model.ErrorCode(end) != "SessionStreamingException" {
			t.Errorf("ended with %v", end)
		}
	})
}
