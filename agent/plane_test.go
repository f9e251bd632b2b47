package agent

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/roadstead/roadstead/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plane is a control plane that answers what it is told to answer, and remembers what it was asked.
type plane struct {
	*httptest.Server

	mu      sync.Mutex
	asked   []string // "Operation {...}"
	answers map[string]answer
}

type answer struct {
	status int // 0 means 200
	body   string
}

func newPlane(t *testing.T, answers map[string]answer) *plane {
	p := &plane{answers: answers}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *plane) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&in)
	p.mu.Lock()
	p.asked = append(p.asked, op+" "+string(in))
	a, ok := p.answers[op]
	p.mu.Unlock()
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case a.status != 0:
		w.WriteHeader(a.status)
	}
	_, _ = w.Write([]byte(a.body))
}

func (p *plane) answer(op string, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[op] = a
}

// last is the newest call, and how many there were.
func (p *plane) last() (string, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.asked) == 0 {
		return "", 0
	}
	return p.asked[len(p.asked)-1], len(p.asked)
}

// node is an agent without machinery, as far as a test needs it.
func (p *plane) node(t *testing.T, cfg Config) *Agent {
	t.Helper()
	c, err := client.New(client.Config{Endpoint: p.URL, AccessKeyID: "k", Secret: "s", Region: "us-east-1", Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg.Server, cfg.Log = p.URL, slog.New(slog.DiscardHandler)
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	a := &Agent{cfg: cfg, client: c}
	a.auth = newPullAuth(a.executing, a.serves)
	a.exec = a.newExec()
	return a
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got %v\nwant %v", what, got, want)
	}
}
