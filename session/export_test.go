package session

import (
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/coder/websocket"

	"github.com/roadstead/roadstead/acs"
)

// NewWhole is what stands between a websocket's buffer and its connection.
func NewWhole(conn net.Conn) io.Writer { return &whole{conn: conn} }

// Line is an agent's connection.
type Line struct{ l *line }

// Next is the next frame.
func (l Line) Next() ([]byte, error) {
	if err := l.l.await(); err != nil {
		return nil, err
	}
	var copied []byte
	err := l.l.receive(func(frame []byte) error { copied = slices.Clone(frame); return nil })
	return copied, err
}

// Stop and End are stop and end.
func (l Line) Stop()             { l.l.stop() }
func (l Line) End(reason string) { l.l.end(reason) }

// Lines serves lines with f.
func Lines(f func(Line)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := &thin{ResponseWriter: w}
		ws, err := websocket.Accept(t, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		f(Line{newLine(acs.NewConnOver(ws, t.conn), t)})
	})
}
