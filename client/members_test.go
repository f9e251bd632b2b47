package client_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roadstead/roadstead/client"
)

// spent is a request's body as net/http's server leaves it once an answer has begun: a read behind its end is an error.
type spent struct{ left *strings.Reader }

func (s spent) Read(p []byte) (int, error) {
	if s.left.Len() == 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	return s.left.Read(p)
}

func (spent) Close() error { return nil }

// Members passes a request on as it is to the member that answers, with its whole answer, and asks none twice.
func TestMembers(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	var asked atomic.Int32
	status := http.StatusOK
	member := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		b, err := io.ReadAll(r.Body)
		if err != nil || string(b) != "{}" || r.Host != "169.254.170.2:51680" || r.Header.Get("Authorization") != "signed" {
			t.Errorf("the member got %q for %s, %v, %v", b, r.Host, r.Header, err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, large)
	}))
	defer member.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, status = range []int{http.StatusOK, http.StatusInternalServerError} {
		for range 20 {
			c, err := client.New(client.Config{Endpoint: gone.URL + "," + member.URL, Patience: -1})
			if err != nil {
				t.Fatal(err)
			}
			asked.Store(0)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://roadstead/", spent{strings.NewReader("{}")})
			if err != nil {
				t.Fatal(err)
			}
			r.Host, r.ContentLength = "169.254.170.2:51680", 2
			r.Header.Set("Authorization", "signed")
			resp, err := c.Members().RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || len(b) != len(large) || resp.StatusCode != status || asked.Load() != 1 {
				t.Errorf("status %d, %d bytes, %v, asked %d times", resp.StatusCode, len(b), err, asked.Load())
			}
			c.Close()
		}
	}
}
