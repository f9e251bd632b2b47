package logforward_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/logforward"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var scope = model.Scope{Account: "000000000000", Region: "us-east-1"}

const sink = "https://sink.example/logs"

// world is a member with a log store, in a bubble, and the network that its filters send to.
type world struct {
	*testing.T
	memory *state.Memory
	dir    string
	db     *state.DB
	store  *logstore.Store
	stop   func()
	open   func(wrapped []byte) ([]byte, error) // data keys
	log    bytes.Buffer
	moved  atomic.Int64 // how often others were to hear of the group "g"

	mu       sync.Mutex
	received []message
	slow     time.Duration                       // to take a message
	answer   func(n int) (status int, err error) // to the n-th message
}

type message struct {
	MessageType, Owner, LogGroup, LogStream string
	SubscriptionFilters                     []string
	LogEvents                               []struct {
		ID              string
		Timestamp       int64
		Message         string
		ExtractedFields map[string]string
	}
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, memory: state.NewMemory(), dir: dir, answer: func(int) (int, error) { return 200, nil }}
		w.begin()
		f(w)
		w.stop()
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin starts the member, on the state and store that there are.
func (w *world) begin() {
	w.db = state.Open(state.Config{Backend: w.memory.Member(), Codec: state.SpecCodec{Marshal: wire.Marshal, Unmarshal: wire.Unmarshal}})
	var err error
	w.store, err = logstore.Open(logstore.Config{Dir: w.dir, Segment: 2000, Open: func(wrapped []byte) ([]byte, error) { return w.open(wrapped) }})
	must(w, err)
	f := logforward.New(logforward.Config{DB: w.db, Store: w.store, Transport: w, Moved: w.move, Log: slog.New(slog.NewTextHandler(&w.log, nil))})
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 2)
	go func() { done <- w.db.Run(ctx) }()
	go func() { done <- f.Run(ctx) }()
	must(w, w.db.AwaitLead(ctx))
	w.stop = func() {
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				w.Errorf("Run ended with %v", err)
			}
		}
		must(w, w.store.Close())
	}
}

func (w *world) move(group string) {
	if group == "g" {
		w.moved.Add(1)
	}
}

// RoundTrip is the network.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	z, err := gzip.NewReader(r.Body)
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" || r.Method != http.MethodPost {
		w.Errorf("got %s %v: %v", r.Method, r.Header, err)
		return nil, err
	}
	var m message
	if err := json.NewDecoder(z).Decode(&m); err != nil {
		w.Errorf("got no JSON: %v", err)
	}
	w.mu.Lock()
	slow := w.slow
	w.mu.Unlock()
	time.Sleep(slow)
	w.mu.Lock()
	defer w.mu.Unlock()
	status, err := w.answer(len(w.received))
	if err != nil {
		return nil, err
	}
	w.received = append(w.received, m)
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("")), Request: r}, err
}

// group makes a log group with streams and filters.
func (w *world) group(name string, filters []model.LogSubscription, streams ...string) *logstore.Group {
	w.Helper()
	w.put(name, filters)
	g, err := w.store.Group(name)
	must(w, err)
	for _, s := range streams {
		must(w, g.CreateStream(s, 1))
	}
	return g
}

// put writes the row of a group.
func (w *world) put(name string, filters []model.LogSubscription) {
	w.Helper()
	must(w, w.db.Update(w.Context(), func(tx *state.Tx) error {
		tx.LogGroups.Put(&model.LogGroup{Scope: scope, Name: name, ID: name, Class: "STANDARD", Subscriptions: filters})
		return nil
	}))
}

func filter(name, pattern string) model.LogSubscription {
	return model.LogSubscription{Name: name, ID: "id-" + name, Pattern: pattern, Destination: sink, CreatedAt: time.Now().UnixMilli()}
}

// add puts lines into a stream, at the bubble's time.
func (w *world) add(g *logstore.Group, stream string, lines ...string) {
	w.Helper()
	now := time.Now().UnixMilli()
	var events []logstore.Event
	for _, l := range lines {
		events = append(events, logstore.Event{Time: now, Message: l})
	}
	must(w, g.Append(stream, events, now))
}

// pass lets time pass, in the bubble.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// got is what has been received, "STREAM: LINE LINE" for each message, after some time.
func (w *world) got(after time.Duration) string {
	w.pass(after)
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, m := range w.received {
		text := m.LogStream + ":"
		for _, e := range m.LogEvents {
			text += " " + e.Message
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}
