package logdriver

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// collector is Splunk's HTTP Event Collector. It can answer with a status of its own instead.
type collector struct {
	*heard
	mu     sync.Mutex
	refuse int    // guarded by mu: the status, 0 = none
	auth   string // guarded by mu: of the last request

	acks   string         // how it acknowledges: "" not at all, "late" when it is asked the third time, "lost" as late, but the first never, "unknown" with a number of which nobody knows
	asked  map[string]int // guarded by mu: how often, by number
	number int            // guarded by mu: of the last request
}

// acknowledge answers whether what has a number is indexed.
func (c *collector) acknowledge(w http.ResponseWriter, r *http.Request) {
	var in struct{ Acks []int }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Query().Get("channel") == "" || r.Header.Get("Authorization") == "" {
		http.Error(w, `{"text":"Data channel is missing","code":10}`, http.StatusBadRequest)
		return
	}
	if c.acks == "unknown" {
		http.NotFound(w, r)
		return
	}
	id := strconv.Itoa(in.Acks[0])
	c.asked[id]++
	fmt.Fprintf(w, `{"acks":{"%s":%t}}`, id, c.asked[id] >= 3 && (c.acks != "lost" || id != "1"))
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != 0 {
		http.Error(w, `{"text":"no","code":4}`, c.refuse)
		return
	}
	if r.URL.Path == splunkAckPath && c.acks != "" {
		c.acknowledge(w, r)
		return
	}
	if r.URL.Path != splunkPath {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodOptions {
		return
	}
	c.auth = r.Header.Get("Authorization")
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if in, err = gzip.NewReader(in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	for d := json.NewDecoder(in); ; {
		var m map[string]any
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			if c.number++; c.acks != "" && r.Header.Get("X-Splunk-Request-Channel") != "" {
				fmt.Fprintf(w, `{"text":"Success","code":0,"ackId":%d}`, c.number)
			}
			return
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch e := m["event"].(type) {
		case string:
			c.add(e, m)
		case map[string]any:
			line, ok := e["line"].(string)
			if !ok {
				line = fmt.Sprint(e["line"])
			}
			c.add(line, m)
		}
	}
}

// What Splunk says it never takes is a refusal; other answers are reasons to try again.
func TestSplunkRefuses(t *testing.T) {
	c := &collector{heard: newHeard()}
	s := httptest.NewServer(c)
	defer s.Close()
	d, err := New(Splunk, map[string]string{"splunk-url": s.URL, "splunk-token": "sesame"}, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusServiceUnavailable, 0} {
		if status == http.StatusBadRequest {
			if err := d.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		c.mu.Lock()
		c.refuse = status
		c.mu.Unlock()
		err := d.Send(t.Context(), batch("x"))
		_, refusal := errors.AsType[*Refusal](err)
		if (err == nil) != (status == 0) || refusal != (status == http.StatusBadRequest) {
			t.Errorf("%d: %v", status, err)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("the token is in %v", err)
		}
	}
	if c.auth != "Splunk sesame" {
		t.Errorf("authorization %q", c.auth)
	}
}

// With the option splunk-index-acknowledgment lines have been taken when they are indexed, and are sent again if they never are. A
// collector that acknowledges nothing is believed.
func TestSplunkAcknowledges(t *testing.T) {
	for _, c := range []struct {
		acks, want string
		asked      int // about the first request
	}{
		{"", "one", 0}, {"late", "one", 3}, {"unknown", "one", 0}, {"lost", "one one", -1},
	} {
		t.Run(c.acks, func(t *testing.T) {
			t.Parallel() // a sender waits between its questions
			to := &collector{heard: newHeard(), asked: map[string]int{}, acks: c.acks}
			s := httptest.NewServer(to)
			d, err := newSplunk(map[string]string{"splunk-url": s.URL, "splunk-token": "sesame", "splunk-index-acknowledgment": "true", "splunk-gzip": "true"}, Facts{})
			if err != nil {
				t.Fatal(err)
			}
			d.patience = time.Minute
			if c.acks == "lost" {
				d.patience = time.Second
				if err := d.Send(t.Context(), batch("one")); err == nil || !strings.Contains(err.Error(), "not acknowledged") {
					t.Errorf("what was not acknowledged: %v", err)
				}
				d.patience = time.Minute
			}
			if err := d.Send(t.Context(), batch("one")); err != nil {
				t.Errorf("%q: %v", c.acks, err)
			}
			if got := strings.Join(to.got(), " "); got != c.want || c.asked >= 0 && to.asked["1"] != c.asked {
				t.Errorf("%q: got %q, asked %v", c.acks, got, to.asked)
			}
			_ = d.Close()
			s.Close()
		})
	}
}
