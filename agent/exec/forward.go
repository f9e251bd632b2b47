package exec

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"github.com/xtaci/smux"

	"github.com/roadstead/roadstead/datachannel"
)

// Bounds of a session that carries connections: of one being opened, and of how many there are at a time.
const (
	dialPatience = 10 * time.Second
	maxStreams   = 1000
)

// forward is the Process of a session that carries connections. What the client writes, and reads, are the bytes of a smux session;
// for each stream in it a connection is dialled.
type forward struct {
	dial   func(ctx context.Context) (net.Conn, error)
	near   net.Conn // the client's bytes
	mux    *smux.Session
	flags  *io.PipeReader // a flag for the client in each piece
	tell   *io.PipeWriter
	wg     sync.WaitGroup
	cancel context.CancelFunc
}

func newForward(ctx context.Context, dial func(ctx context.Context) (net.Conn, error)) (*forward, error) {
	near, far := net.Pipe()
	cfg := smux.DefaultConfig()
	cfg.KeepAliveDisabled = true // it would keep a session from being idle, and the plugin disables its own
	mux, err := smux.Server(far, cfg)
	if err != nil {
		return nil, err
	}
	f := &forward{dial: dial, near: near, mux: mux}
	f.flags, f.tell = io.Pipe()
	ctx, f.cancel = context.WithCancel(ctx)
	f.wg.Go(func() { f.accept(ctx) })
	return f, nil
}

// accept opens a connection for each stream that the client opens, until the end.
func (f *forward) accept(ctx context.Context) {
	room := make(chan struct{}, maxStreams)
	for {
		stream, err := f.mux.AcceptStream()
		if err != nil {
			return
		}
		select {
		case room <- struct{}{}:
			f.wg.Go(func() { f.carry(ctx, stream); <-room })
		default:
			stream.Close()
		}
	}
}

// carry copies both ways until one end is over.
func (f *forward) carry(ctx context.Context, stream *smux.Stream) {
	defer stream.Close()
	dial, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	conn, err := f.dial(dial)
	if err != nil {
		_, _ = f.tell.Write(binary.BigEndian.AppendUint32(nil, datachannel.FlagConnectFail))
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	over := make(chan struct{})
	f.wg.Go(func() {
		defer close(over)
		_, _ = io.Copy(conn, stream)
		conn.Close()
	})
	_, _ = io.Copy(stream, conn)
	stream.Close()
	<-over
}

func (f *forward) Write(b []byte) (int, error) { return f.near.Write(b) }
func (f *forward) Stdout() io.Reader           { return f.near }
func (f *forward) Stderr() io.Reader           { return nil }

// CloseStdin changes nothing: streams end one by one.
func (f *forward) CloseStdin(context.Context) error { return nil }

func (f *forward) Resize(context.Context, uint32, uint32) error { return nil }

// Wait returns when the session has been ended; by itself it does not end.
func (f *forward) Wait(ctx context.Context) (int32, error) {
	select {
	case <-f.mux.CloseChan():
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Kill ends the connections.
func (f *forward) Kill(context.Context) {
	f.cancel()
	f.mux.Close()
	f.near.Close()
	f.tell.Close()
}

func (f *forward) Close(ctx context.Context) error {
	f.Kill(ctx)
	f.flags.Close()
	f.wg.Wait()
	return nil
}
