package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// spentBody is a request body as net/http's server leaves it once an answer has begun: what was announced has been read, and
// a further read is an error.
type spentBody struct {
	strings.Reader
}

func (b *spentBody) Read(p []byte) (int, error) {
	if b.Len() == 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.Reader.Read(p)
}

func (*spentBody) Close() error { return nil }

// A leader that answers before the sender has looked for the end of its own body is not cut short.
func TestAnswerOfAQuickLeaderIsWhole(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != "{}" {
			t.Errorf("the leader got %q, %v", b, err)
		}
		_, _ = io.WriteString(w, large)
	}))
	defer leader.Close()
	to, err := url.Parse(leader.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	for range 20 {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body, r.ContentLength = &spentBody{*strings.NewReader("{}")}, 2
		w := httptest.NewRecorder()
		s.proxy(to).ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Body.Len() != len(large) {
			t.Fatalf("status %d, %d of %d bytes", w.Code, w.Body.Len(), len(large))
		}
	}
}
