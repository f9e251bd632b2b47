package session

import (
	"io"
	"net"
)

// NewWhole is what stands between a websocket's buffer and its connection.
func NewWhole(conn net.Conn) io.Writer { return &whole{conn: conn} }
