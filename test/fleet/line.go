package fleet

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// line is a node's connection for API calls: one call at a time, kept open for a while, to whichever member can be reached. It
// is the client's http.RoundTripper, for a node cannot afford what http.Transport holds.
type line struct {
	dial    func(ctx context.Context, addr string) (net.Conn, error)
	members []string // HOST:PORT

	turn chan struct{} // has room for the one who uses what is below: a mutex would stop a bubble's clock while a call waits
	at   int           // the member in use
	conn net.Conn      // nil if there is none
	r    *bufio.Reader
	idle *time.Timer
}

func newLine(dial func(ctx context.Context, addr string) (net.Conn, error)) *line {
	return &line{dial: dial, turn: make(chan struct{}, 1)}
}

const (
	dialPatience = 5 * time.Second  // for one member
	callPatience = 2 * time.Minute  // after so long a silent peer counts as gone: TCP's keep-alive
	idlePatience = 90 * time.Second // an idle connection is kept
)

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err := l.open(r.Context()); err != nil {
		return nil, err
	}
	resp, err := l.exchange(r)
	if err != nil || resp.Close {
		l.drop()
	}
	if err != nil && r.Context().Err() != nil {
		err = r.Context().Err()
	}
	return resp, err
}

// open makes sure that there is a connection. Caller has the turn.
func (l *line) open(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	var err error
	for range l.members {
		var one context.Context
		var cancel context.CancelFunc
		one, cancel = context.WithTimeout(ctx, dialPatience)
		l.conn, err = l.dial(one, l.members[l.at])
		cancel()
		if err == nil {
			l.r = bufio.NewReaderSize(l.conn, 1<<10)
			return nil
		}
		l.conn, l.at = nil, (l.at+1)%len(l.members)
	}
	return err
}

// exchange makes one call. Caller has the turn.
func (l *line) exchange(r *http.Request) (*http.Response, error) {
	if l.idle != nil {
		l.idle.Stop()
	}
	conn := l.conn
	defer context.AfterFunc(r.Context(), func() { conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(callPatience)); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		return nil, err
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(l.r, r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	l.idle = time.AfterFunc(idlePatience, func() { l.hangUpIf(conn) })
	return resp, err
}

// hangUpIf ends the connection if it is still the one that is used, and idle.
func (l *line) hangUpIf(conn net.Conn) {
	select {
	case l.turn <- struct{}{}:
		if l.conn == conn {
			l.drop()
		}
		<-l.turn
	default: // a call is under way
	}
}

// hangUp ends the connection.
func (l *line) hangUp() {
	l.turn <- struct{}{}
	l.drop()
	<-l.turn
}

// drop ends the connection; the next call tries the next member. Caller has the turn.
func (l *line) drop() {
	if l.idle != nil {
		l.idle.Stop()
	}
	if l.conn != nil {
		l.conn.Close()
		l.conn, l.r = nil, nil
	}
}
