package attack_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadstead/roadstead/server"
)

// doors are requests for what listens on the API's port: the APIs, the registry, agents, the ends of exec sessions, operators.
var doors = []string{
	"POST /", "GET /bucket/key", "GET /v2/", "GET /ws", "GET /tcs/ws", "GET /v1/data-channel/s1?role=publish_subscribe",
	"GET /roadstead/v1/exec/s1", "POST /roadstead/v1/plan", "GET /healthz", "GET /metrics", "GET /nothing",
}

// bloated are headers that nobody needs: they are written to the connection.
var bloated = map[string]func(w io.Writer){
	"ten thousand short lines": func(w io.Writer) { lines(w, 10_000, func(i int) string { return fmt.Sprintf("h%d: %d", i, i) }) },
	"the same line so often":   func(w io.Writer) { lines(w, 10_000, func(int) string { return "a:b" }) },
	"a line of megabytes": func(w io.Writer) {
		fmt.Fprint(w, "X-Amz-Meta-Long: ")
		for range 64 {
			if _, err := io.WriteString(w, strings.Repeat("x", 64<<10)); err != nil {
				return
			}
		}
		fmt.Fprint(w, "\r\n")
	},
	"a line of nearly a megabyte that does not end": func(w io.Writer) { fmt.Fprint(w, "Authorization: ", strings.Repeat("x", 900<<10)) },
	"a name of nearly a megabyte":                   func(w io.Writer) { fmt.Fprint(w, strings.Repeat("x", 900<<10), ": 1\r\n") },
}

func lines(w io.Writer, n int, line func(i int) string) {
	b := bufio.NewWriter(w)
	for i := range n {
		fmt.Fprint(b, line(i), "\r\n")
	}
	_ = b.Flush()
}

// knock sends a request that would be a websocket's with the bloated header, and returns the answer's status, 0 if the connection was
// closed without one. What neither answers nor closes is an error.
func knock(s *server.Server, door string, bloat func(io.Writer)) (status int, err error) {
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(15 * time.Second)); err != nil {
		return 0, err
	}
	fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", door, s.Addr())
	bloat(c)
	fmt.Fprint(c, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		resp.Body.Close()
		return resp.StatusCode, nil
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		return 0, err
	}
	return 0, nil // closed before all of it was sent
}

// [I] A header that is far larger than any client's is refused, or its connection closed, at every door, also where a websocket would
// begin, and before it costs much. Who asks for something else at the same time gets it.
func TestBloatedHeaders(t *testing.T) {
	s := open(t)
	var knocking sync.WaitGroup
	for name, bloat := range bloated {
		for _, door := range doors {
			knocking.Go(func() {
				status, err := knock(s, door, bloat)
				if err != nil || status != 0 && status != http.StatusRequestHeaderFieldsTooLarge {
					t.Errorf("%s, %s: status %d, %v", door, name, status, err)
				}
			})
		}
	}
	knocking.Wait()
	alive(t, s)

	const many = 64 // at once, each of megabytes
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	hold, held := make(chan struct{}), sync.WaitGroup{}
	var done sync.WaitGroup
	for range many {
		held.Add(1)
		done.Go(func() {
			_, _ = knock(s, "GET /ws", func(w io.Writer) {
				piece := []byte("X-Amz-Meta-Long: " + strings.Repeat("x", 16<<10) + "\r\n")
				for range 55 { // the server has read of it what it will, and waits for more if it takes that much
					if _, err := w.Write(piece); err != nil {
						break
					}
				}
				held.Done()
				<-hold
			})
		})
	}
	held.Wait()
	alive(t, s)
	runtime.GC()
	runtime.ReadMemStats(&after)
	close(hold)
	done.Wait()
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > many*500<<10 { // each has sent 880
		t.Errorf("%d connections with headers of megabytes hold %d KiB each", many, grown/many>>10)
	} else {
		t.Logf("%d connections with headers of megabytes hold %d KiB each", many, grown/many>>10)
	}
}

// A header as large as AWS's clients send them is none of those: credentials of a session with policies, an object's metadata.
func TestLargeHeadersOfClients(t *testing.T) {
	s := open(t)
	status, err := knock(s, "GET /healthz", func(w io.Writer) {
		fmt.Fprint(w, "X-Amz-Security-Token: ", strings.Repeat("x", 8<<10), "\r\n")
		lines(w, 300, func(i int) string { return fmt.Sprintf("X-Amz-Meta-%d: %d", i, i) })
	})
	if err != nil || status != http.StatusOK {
		t.Errorf("status %d, %v", status, err)
	}
}
