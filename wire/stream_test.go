package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go/eventstream"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/wire"
)

// tailing is a gateway with one operation that streams, and what it logs.
func tailing(log io.Writer, fn func(ctx context.Context, in *cloudwatchlogs.StartLiveTailInput) (wire.Stream, error)) *wire.Gateway {
	m := wire.NewMux(wire.Logs())
	wire.HandleStream(m, "StartLiveTail", fn)
	return wire.NewGateway(wire.GatewayConfig{
		Authenticate: func(r *http.Request, _ []byte) (context.Context, error) { return r.Context(), nil },
		NewRequestID: func() string { return "id" }, Log: slog.New(slog.NewTextHandler(log, nil)),
	}, m)
}

func liveTailCall(header map[string]string) call {
	c := call{body: `{"logGroupIdentifiers":["g"]}`, header: map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.StartLiveTail",
	}}
	if header != nil {
		c.header = header
	}
	return c
}

// decode reads the messages of a stream: their headers and payloads, a line each.
func decode(t *testing.T, b []byte) string {
	t.Helper()
	var lines strings.Builder
	for r := bytes.NewReader(b); r.Len() > 0; {
		m, err := eventstream.NewDecoder().Decode(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		kind := m.Headers.Get(":message-type").String()
		lines.WriteString(kind + " " + m.Headers.Get(":"+kind+"-type").String() + " " + m.Headers.Get(":content-type").String() + " " + string(m.Payload) + "\n")
	}
	return lines.String()
}

func update() wire.Event {
	return wire.Event{Type: "sessionUpdate", Payload: &types.LiveTailSessionUpdate{
		SessionMetadata: &types.LiveTailSessionMetadata{}, SessionResults: []types.LiveTailSessionLogEvent{},
	}}
}

// A stream is the initial response, events, and at most one exception, which tells nothing that is not for the caller.
func TestStream(t *testing.T) {
	const json = "application/x-amz-json-1.1 "
	const begin = "event initial-response " + json + "{}\n" +
		"event sessionUpdate " + json + `{"sessionMetadata":{"sampled":false},"sessionResults":[]}` + "\n"
	for name, c := range map[string]struct {
		err        error
		want, logs string
	}{
		"whole":   {nil, begin, ""},
		"refused": {model.Errorf("SessionTimeoutException", "It is over."), begin + "exception SessionTimeoutException " + json + `{"__type":"SessionTimeoutException","message":"It is over."}` + "\n", ""},
		"broken": {errors.New("secret"), begin + "exception ServiceUnavailableException " + json +
			`{"__type":"ServiceUnavailableException","message":"Service Unavailable. Please try again later."}` + "\n", "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w := liveTailCall(nil).send(tailing(&log, func(context.Context, *cloudwatchlogs.StartLiveTailInput) (wire.Stream, error) {
				return func(yield func(wire.Event, error) bool) {
					if yield(update(), nil) && c.err != nil {
						yield(wire.Event{}, c.err)
					}
				}, nil
			}))
			if got := decode(t, w.Body.Bytes()); got != c.want || w.Code != 200 || w.Header().Get("Content-Type") != "application/vnd.amazon.eventstream" {
				t.Errorf("%d %v\n%swant\n%s", w.Code, w.Header(), got, c.want)
			}
			if !strings.Contains(log.String(), c.logs) || c.logs == "" && log.Len() > 0 {
				t.Errorf("logged %q", log.String())
			}
		})
	}
}

// In CBOR the events are CBOR; in the query protocol there are none.
func TestStreamProtocols(t *testing.T) {
	g := tailing(io.Discard, func(context.Context, *cloudwatchlogs.StartLiveTailInput) (wire.Stream, error) {
		return func(yield func(wire.Event, error) bool) { yield(update(), nil) }, nil
	})
	c := liveTailCall(map[string]string{"Smithy-Protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"})
	c.url, c.body = "/service/Logs_20140328/operation/StartLiveTail", "\xa1\x73logGroupIdentifiers\x81\x61g"
	want := "event initial-response application/cbor \xa0\nevent sessionUpdate application/cbor \xa2osessionMetadata\xa1gsampled\xf4nsessionResults\x80\n"
	if got := decode(t, c.send(g).Body.Bytes()); got != want {
		t.Errorf("got\n%q want\n%q", got, want)
	}
	c = liveTailCall(map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
	c.body = "Action=StartLiveTail&Version=2014-03-28&logGroupIdentifiers.member.1=g"
	if w := c.send(g); w.Code != 400 || !strings.Contains(w.Body.String(), "UnsupportedFeatureException") {
		t.Errorf("query: %d %s", w.Code, w.Body)
	}
}

// An error of the handler is an answer like that of any operation, and so is what is wrong with the input.
func TestStreamRefused(t *testing.T) {
	g := tailing(io.Discard, func(context.Context, *cloudwatchlogs.StartLiveTailInput) (wire.Stream, error) {
		return nil, model.Errorf("ResourceNotFoundException", "None.")
	})
	if w := liveTailCall(nil).send(g); w.Code != 400 || !strings.Contains(w.Body.String(), `{"__type":"ResourceNotFoundException","message":"None."}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	c := liveTailCall(nil)
	c.body = "{}"
	if w := c.send(g); w.Code != 400 || !strings.Contains(w.Body.String(), "logGroupIdentifiers") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Events arrive while the stream runs, and a caller who hangs up ends it.
func TestStreamIsLive(t *testing.T) {
	more, ended := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(tailing(io.Discard, func(ctx context.Context, _ *cloudwatchlogs.StartLiveTailInput) (wire.Stream, error) {
		return func(yield func(wire.Event, error) bool) {
			defer close(ended)
			for yield(update(), nil) {
				select {
				case <-more:
				case <-ctx.Done():
					return
				}
			}
		}, nil
	}))
	defer s.Close()
	c := liveTailCall(nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	read := func() string {
		t.Helper()
		m, err := eventstream.NewDecoder().Decode(resp.Body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m.Headers.Get(":event-type").String()
	}
	for i, want := range []string{"initial-response", "sessionUpdate", "sessionUpdate", "sessionUpdate"} {
		if i > 1 {
			more <- struct{}{}
		}
		if got := read(); got != want {
			t.Errorf("event %d is %s, want %s", i, got, want)
		}
	}
	resp.Body.Close()
	<-ended
}
