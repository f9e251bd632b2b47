package exec

import (
	"context"
	"sync"
	"time"
)

// outgoing bounds the frames that wait for a connection. What finds no room is as good as lost, and comes again.
const outgoing = 512

// writePatience is how long a connection may take for one frame; then it is broken.
const writePatience = 30 * time.Second

// attachment is one connection of a session's client.
type attachment struct {
	conn Conn
	out  chan []byte
	gone chan struct{} // closed when the session has no more use for it
	once sync.Once
}

// send queues a frame.
func (a *attachment) send(frame []byte) {
	select {
	case a.out <- frame:
	default:
	}
}

// drop has the connection closed when what is queued has been sent.
func (a *attachment) drop() { a.once.Do(func() { close(a.gone) }) }

// serveConn is the life of a connection of the session.
func (x *session) serveConn(ctx context.Context, conn Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attachment{conn: conn, out: make(chan []byte, outgoing), gone: make(chan struct{})}
	defer conn.Close()
	select {
	case x.attach <- a:
	case <-x.over:
		return
	case <-ctx.Done():
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { a.write(ctx); conn.Close() })
	for {
		frame, err := conn.Read(ctx)
		if err != nil {
			break
		}
		select {
		case x.frames <- received{a, frame}:
			continue
		case <-a.gone: // what comes is not read any more, until the close
			continue
		case <-x.over:
		case <-ctx.Done():
		}
		break
	}
	cancel()
	select {
	case x.lost <- a:
	case <-a.gone:
	case <-x.over:
	}
}

// write sends what is queued until the connection is dropped or breaks.
func (a *attachment) write(ctx context.Context) {
	for {
		select {
		case frame := <-a.out:
			if a.writeOne(ctx, frame) != nil {
				return
			}
			continue
		case <-ctx.Done():
			return
		case <-a.gone:
		}
		for len(a.out) > 0 {
			if a.writeOne(ctx, <-a.out) != nil {
				return
			}
		}
		return
	}
}

func (a *attachment) writeOne(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	return a.conn.Write(ctx, frame)
}

// received is a frame, and where it came from.
type received struct {
	from  *attachment
	frame []byte
}
