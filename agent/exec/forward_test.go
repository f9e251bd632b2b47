package exec

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/xtaci/smux"
)

// These tests run in real time: smux keeps channels in pools, which must not be shared by bubbles.

// ends of a session that carries connections: a forward, and what the plugin makes of its bytes.
type ends struct {
	io.Reader
	io.Writer
}

func (ends) Close() error { return nil }

// begin starts a forward and the client's smux.
func begin(t *testing.T, dial func(context.Context) (net.Conn, error)) (*forward, *smux.Session) {
	t.Helper()
	f, err := newForward(t.Context(), dial)
	if err != nil {
		t.Fatal(err)
	}
	cfg := smux.DefaultConfig()
	cfg.KeepAliveDisabled = true
	m, err := smux.Client(ends{f.Stdout(), f}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if code, err := f.Wait(context.Background()); code != 0 || err != nil {
			t.Errorf("the forward ends with %d, %v", code, err)
		}
		m.Close()
	})
	return f, m
}

func open(t *testing.T, m *smux.Session) *smux.Stream {
	t.Helper()
	s, err := m.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// [run] Each stream is a connection, with its bytes and its end; two at once keep theirs apart.
func TestForward(t *testing.T) {
	dialled := make(chan net.Conn)
	_, m := begin(t, func(ctx context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case dialled <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	idle := open(t, m)
	other := <-dialled
	for _, say := range []string{"one", strings.Repeat("0123456789", 200_000)} {
		stream := open(t, m)
		far := <-dialled
		go func() { _, _ = io.WriteString(stream, say) }()
		heard := make([]byte, len(say))
		if _, err := io.ReadFull(far, heard); err != nil || string(heard) != say {
			t.Fatalf("%d bytes arrive, %v", len(heard), err)
		}
		go func() { _, _ = io.WriteString(far, say); far.Close() }()
		if back, err := io.ReadAll(stream); err != nil || string(back) != say {
			t.Fatalf("%d bytes come back, %v", len(back), err)
		}
	}
	idle.Close()
	if n, err := other.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("a connection whose client has gone says %d, %v", n, err)
	}
}

// [run] AGENT-PROTOCOL §5.3: a connection that cannot be opened is a flag to the client, and the next one may succeed.
func TestForwardToNobody(t *testing.T) {
	dials := make(chan net.Conn, 1)
	f, m := begin(t, func(context.Context) (net.Conn, error) {
		select {
		case c := <-dials:
			return c, nil
		default:
			return nil, errors.New("nobody listens")
		}
	})
	stream := open(t, m)
	flag := make([]byte, 10)
	if n, err := f.flags.Read(flag); err != nil || string(flag[:n]) != "\x00\x00\x00\x03" {
		t.Errorf("flag %q, %v", flag[:n], err)
	}
	if n, err := stream.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the stream says %d, %v", n, err)
	}
	near, far := net.Pipe()
	dials <- near
	stream = open(t, m)
	go func() { _, _ = stream.Write([]byte("x")) }()
	if n, err := far.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
