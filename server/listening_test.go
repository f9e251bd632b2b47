package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A connection on which nothing is asked ends after three minutes, and one whose question does not end after half of one. An answer may
// take hours, and so may a connection that is not HTTP's any more.
func TestIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("/quick", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") })
		mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "begun ")
			time.Sleep(5 * time.Hour)
			_, _ = io.WriteString(w, "done")
		})
		mux.HandleFunc("/taken", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_, _ = io.Copy(c, c)
		})
		l := make(pipes)
		srv := listening(t.Context(), mux)
		ended := make(chan error)
		go func() { ended <- srv.Serve(l) }()
		dial := func(say string) (net.Conn, *bufio.Reader) {
			ours, theirs := net.Pipe()
			l <- theirs
			fmt.Fprint(ours, say)
			return ours, bufio.NewReader(ours)
		}
		lasts := func(c io.Reader) time.Duration {
			began := time.Now()
			_, _ = io.ReadAll(c)
			return time.Since(began)
		}
		read := func(r *bufio.Reader) string {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			return fmt.Sprint(string(b), err)
		}
		const ask = "GET /%s HTTP/1.1\r\nHost: h\r\n\r\n"

		_, r := dial(fmt.Sprintf(ask, "quick"))
		if got, d := read(r), lasts(r); got != "done<nil>" || d != 3*time.Minute {
			t.Errorf("got %q; then an idle connection lasts %v", got, d)
		}
		_, r = dial("GET /quick HTTP/1.1\r\nHo")
		if d := lasts(r); d != 30*time.Second {
			t.Errorf("half a question lasts %v", d)
		}
		_, r = dial(fmt.Sprintf(ask, "slow"))
		if got := read(r); got != "begun done<nil>" {
			t.Errorf("a slow answer is %q", got)
		}
		c, r := dial(fmt.Sprintf(ask, "taken"))
		if got := read(r); got != "<nil>" {
			t.Errorf("a connection that is taken over: %q", got)
		}
		time.Sleep(5 * time.Hour)
		fmt.Fprintln(c, "still here")
		if got, err := r.ReadString('\n'); got != "still here\n" {
			t.Errorf("hours later: %q, %v", got, err)
		}
		c.Close()
		close(l)
		<-ended
	})
}
