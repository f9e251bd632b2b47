package server_test

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/roadstead/roadstead/exec"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// What comes while the leader takes no connection waits: the clients of exec sessions give up before there is another leader
// (AGENT-PROTOCOL §5.8) [run]. A request of which something has been sent is not sent again.
func TestRequestsWaitForALeader(t *testing.T) {
	store := state.NewMemory()
	first, _ := open(t, server.Config{Backend: store.Member()})
	if !first.DB().Leading() {
		t.Fatal("the first member does not lead")
	}
	var dead atomic.Int32 // so many connections are refused still
	var reads atomic.Bool // but not before the body was read
	second, _ := open(t, server.Config{Backend: store.Member(), Peers: trip(func(r *http.Request) (*http.Response, error) {
		if dead.Add(-1) >= 0 {
			if r.Body != nil {
				if reads.Load() {
					_, _ = r.Body.Read(make([]byte, 1))
				}
				r.Body.Close()
			}
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		return http.DefaultTransport.RoundTrip(r)
	})})
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, exec.ClientPath + "s1", "", http.StatusUpgradeRequired},
		{http.MethodPost, "/", "{}", http.StatusForbidden},
		{http.MethodPost, "/", "{} ", http.StatusServiceUnavailable},
	} {
		reads.Store(strings.HasSuffix(c.body, " "))
		dead.Store(3)
		r, err := http.NewRequestWithContext(t.Context(), c.method, second.URL()+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, resp.StatusCode)
		}
	}
}
