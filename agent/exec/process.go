package exec

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/roadstead/roadstead/datachannel"
)

// queued bounds the pieces of input that wait for the command.
const queued = 256

// running is a command under way, and the goroutines that carry its bytes.
type running struct {
	process Process
	output  chan datachannel.Piece // what it writes
	exited  chan exit              // its end, after the last output; has room for one
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// exit is how a command ended.
type exit struct {
	code int32
	err  error
}

// carry starts the goroutines. Input is the session's queue: nil ends the command's input.
func carry(ctx context.Context, p Process, input <-chan []byte, room chan<- struct{}) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{process: p, output: make(chan datachannel.Piece), exited: make(chan exit, 1), cancel: cancel}
	var readers sync.WaitGroup
	readers.Go(func() { r.read(ctx, p.Stdout(), datachannel.Output) })
	if e := p.Stderr(); e != nil {
		readers.Go(func() { r.read(ctx, e, datachannel.StdErr) })
	}
	if f, ok := p.(*forward); ok {
		readers.Go(func() { r.read(ctx, f.flags, datachannel.Flag) })
	}
	r.wg.Go(func() {
		readers.Wait()
		code, err := p.Wait(ctx)
		r.exited <- exit{code, err}
	})
	r.wg.Go(func() { r.write(ctx, input, room) })
	return r
}

func (r *running) read(ctx context.Context, from io.Reader, kind uint32) {
	for {
		b := make([]byte, datachannel.MaxPayload)
		n, err := from.Read(b)
		if n > 0 {
			select {
			case r.output <- datachannel.Piece{Type: kind, Payload: b[:n]}:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// write hands input on. When the command takes no more, the rest is thrown away.
func (r *running) write(ctx context.Context, input <-chan []byte, room chan<- struct{}) {
	var broken error
	for {
		var b []byte
		select {
		case b = <-input:
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
		default:
		}
		switch {
		case broken != nil:
		case b == nil:
			call, cancel := context.WithTimeout(ctx, callPatience)
			_ = r.process.CloseStdin(call)
			cancel()
			broken = io.EOF
		default:
			_, broken = r.process.Write(b)
		}
	}
}

// close ends the command if it runs, and the goroutines.
func (r *running) close(ctx context.Context) error {
	r.cancel()
	err := r.process.Close(context.WithoutCancel(ctx))
	r.wg.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
