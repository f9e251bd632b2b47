package session_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/session"
)

// What an agent says is received, wherever it waits: with the request, behind another message in the buffer, in the socket, or nowhere yet.
func TestLine(t *testing.T) {
	heard := make(chan string)
	lines := make(chan session.Line, 1)
	srv := httptest.NewServer(session.Lines(func(l session.Line) {
		defer close(heard)
		lines <- l
		for {
			frame, err := l.Next()
			if err != nil {
				heard <- err.Error()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					l.End("that is all")
				}
				return
			}
			heard <- string(frame)
		}
	}))
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(s string) {
		t.Helper()
		if _, err := io.WriteString(conn, s); err != nil {
			t.Fatal(err)
		}
	}
	want := func(text string) {
		t.Helper()
		if got := <-heard; got != text {
			t.Errorf("heard %q, not %q", got, text)
		}
	}
	say("GET / HTTP/1.1\r\nHost: plane\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n" + text("early"))
	want("early")
	say(text("one") + text("two") + text("three")[:3])
	want("one")
	want("two")
	say(text("three")[3:])
	want("three")
	long := strings.Repeat("x", 5000)
	say(text(long) + text("four"))
	want(long)
	want("four")
	go (<-lines).Stop()
	if got := <-heard; !strings.Contains(got, "i/o timeout") {
		t.Errorf("stopped: %q", got)
	}
	r := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %+v, %v", resp, err)
	}
	say("\x88\x82\x00\x00\x00\x00\x03\xe8") // good-bye, too
	if b, err := io.ReadAll(r); err != nil || string(b) != "\x88\x0d\x03\xe8that is all" {
		t.Errorf("the connection ended with %q, %v", b, err)
	}
	<-heard
}

// text is a frame with a mask of zeros.
func text(s string) string {
	head := "\x81" + string([]byte{0x80 | byte(len(s))})
	if len(s) > 125 {
		head = "\x81\xfe" + string([]byte{byte(len(s) >> 8), byte(len(s))})
	}
	return head + "\x00\x00\x00\x00" + s
}

// The end of the other side is an end, too.
func TestLineCut(t *testing.T) {
	heard := make(chan error, 1)
	srv := httptest.NewServer(session.Lines(func(l session.Line) {
		_, err := l.Next()
		heard <- err
	}))
	defer srv.Close()
	ws, _, err := websocket.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.CloseNow()
	if err := <-heard; !errors.Is(err, io.EOF) {
		t.Errorf("cut: %v", err)
	}
}
