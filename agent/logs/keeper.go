package logs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	socketName   = "keeper" + socketSuffix
	socketSuffix = ".sock"
	lockName     = "keeper.lock"
	streamsName  = "streams" // one file an open container, so that a keeper that died is replaced without a gap
	idleCheck    = 500 * time.Millisecond
	closeWithin  = 50 * time.Millisecond // how long a fifo without data is waited for at the end
	idleChecks   = 3                     // so many idle checks in a row end the keeper: time for the agent to connect first
)

// request is one line from the agent to the keeper, answered with one line.
type request struct {
	Op string `json:"op"` // open, close or losses
	container
}

type response struct {
	Error string `json:"error,omitempty"`
	Lost  []loss `json:"lost,omitempty"` // since it was last asked for
}

// container names the fifos of one container and the file that their lines go to.
type container struct {
	ID     string `json:"id"`
	Stdin  string `json:"stdin,omitempty"` // held open for the container so that it never reads an end
	Stdout string `json:"stdout,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Path   string `json:"path,omitempty"`
}

// Service is something else that must outlive agents; the keeper serves it at a socket in its directory.
type Service struct {
	Name  string
	Serve func(context.Context, net.Listener) error // until the context ends
	Busy  func() bool                               // the keeper stays while it is
}

// Main is the keeper process: `roadstead log-keeper DIR`. It ends by itself when no container writes any more, no
// service is busy and no agent is connected. At most one keeper runs per directory; a second one ends at once.
func Main(ctx context.Context, dir string, services ...Service) error {
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open keeper lock: %w", err)
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	k := &keeper{dir: dir, services: services, log: slog.New(slog.NewTextHandler(os.Stderr, nil)), open: map[string]*openLog{}, untold: untold{}}
	return k.run(ctx)
}

// keeper reads the fifos of all containers of one node.
type keeper struct {
	dir      string
	services []Service
	log      *slog.Logger
	wg       sync.WaitGroup

	mu     sync.Mutex
	open   map[string]*openLog // by container id; guarded by mu, as all below
	untold untold
	conns  int
}

type openLog struct {
	streams []*fifo
	file    *os.File
	sink    *sink
	stdin   *os.File
	ended   chan struct{} // closed when all is written
	lost    loss          // all of it, but for what the sink has yet; guarded by keeper.mu, as told
	told    time.Time     // when an agent was last told of losses
}

func (k *keeper) run(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(k.dir, streamsName), 0o700); err != nil {
		return fmt.Errorf("make streams directory: %w", err)
	}
	l, done, err := listen(k.dir, socketName)
	if err != nil {
		return err
	}
	defer done()
	k.inherit()
	if err := k.reopen(); err != nil {
		l.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for _, s := range k.services {
		l, done, err := listen(k.dir, s.Name+socketSuffix)
		if err != nil {
			cancel()
			return errors.Join(err, g.Wait())
		}
		defer done()
		g.Go(func() error { defer cancel(); return s.Serve(ctx, l) })
	}
	g.Go(func() error { defer cancel(); return k.accept(ctx, l) })
	g.Go(func() error { defer cancel(); k.awaitIdle(ctx); return nil })
	err = g.Wait()
	k.hurryAll()
	k.wg.Wait()
	return errors.Join(err, k.leave())
}

// reopen goes on with what an earlier keeper left.
func (k *keeper) reopen() error {
	entries, err := os.ReadDir(filepath.Join(k.dir, streamsName))
	if err != nil {
		return fmt.Errorf("list open streams: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(k.dir, streamsName, e.Name())
		b, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read open stream: %w", err)
		}
		var c container
		if err = json.Unmarshal(b, &c); err == nil {
			err = k.start(c)
		}
		if err != nil { // torn by a crash, or its fifos are gone with the container
			k.log.Warn("drop stream", "file", name, "err", err)
			os.Remove(name)
		}
	}
	return nil
}

func (k *keeper) accept(ctx context.Context, l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accept: %w", err)
		}
		k.count(1)
		k.wg.Go(func() {
			defer k.count(-1)
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			k.serve(c)
		})
	}
}

func (k *keeper) serve(c net.Conn) {
	in := bufio.NewScanner(c)
	out := json.NewEncoder(c)
	for in.Scan() {
		var q request
		var a response
		err := json.Unmarshal(in.Bytes(), &q)
		if err == nil {
			a.Lost, err = k.handle(q)
		}
		if err != nil {
			a.Error = err.Error()
		}
		if out.Encode(a) != nil {
			k.keep(a.Lost)
			return
		}
	}
}

func (k *keeper) handle(q request) ([]loss, error) {
	switch q.Op {
	case "open":
		b, err := json.Marshal(q.container)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(k.streamFile(q.ID), b, 0o600); err != nil {
			return nil, fmt.Errorf("remember stream: %w", err)
		}
		return nil, k.start(q.container)
	case "close":
		k.finish(q.ID)
		return nil, nil
	case "losses":
		return k.losses(time.Now()), nil
	}
	return nil, fmt.Errorf("unknown operation %q", q.Op)
}

// start opens a container's streams and reads them until their writers have gone. Starting again is nothing new.
func (k *keeper) start(c container) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open[c.ID] != nil {
		return nil
	}
	o, err := openStreams(c)
	if err != nil {
		return err
	}
	k.open[c.ID] = o
	var streams sync.WaitGroup
	for i, f := range o.streams {
		s := &splitter{stream: []string{Stdout, Stderr}[i], to: o.sink}
		streams.Go(func() {
			if err := copyStream(f, s); err != nil {
				k.log.Error("copy stream", "id", c.ID, "stream", s.stream, "err", err)
			}
		})
	}
	k.wg.Go(func() {
		streams.Wait()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.untold.add(o.take(c.ID))
		if o.lost.Lines > 0 {
			k.log.Warn("lines were lost: there was no room for them", "id", c.ID, "lines", o.lost.Lines, "bytes", o.lost.Bytes)
		}
		o.close()
		delete(k.open, c.ID)
		os.Remove(k.streamFile(c.ID))
		close(o.ended)
	})
	return nil
}

func openStreams(c container) (*openLog, error) {
	o := &openLog{ended: make(chan struct{})}
	var err error
	if o.file, err = os.OpenFile(c.Path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if o.sink, err = newSink(o.file, limitsOf(c.Path)); err != nil {
		o.close()
		return nil, fmt.Errorf("open log: %w", err)
	}
	for _, path := range []string{c.Stdout, c.Stderr} {
		if path == "" { // a terminal has one stream
			continue
		}
		f, err := openFifo(path)
		if err != nil {
			o.close()
			return nil, fmt.Errorf("open stream: %w", err)
		}
		o.streams = append(o.streams, f)
	}
	if c.Stdin != "" {
		if o.stdin, err = os.OpenFile(c.Stdin, os.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
			o.close()
			return nil, fmt.Errorf("hold stdin: %w", err)
		}
	}
	return o, nil
}

func (o *openLog) close() {
	for _, f := range o.streams {
		f.close()
	}
	o.file.Close()
	if o.stdin != nil {
		o.stdin.Close()
	}
}

// finish ends the streams of a container that will not write any more, or never started, after what they hold, and
// waits for that.
func (k *keeper) finish(id string) {
	k.mu.Lock()
	o := k.open[id]
	k.mu.Unlock()
	if o == nil {
		return
	}
	o.sink.overrun.Store(true)
	for _, f := range o.streams {
		f.hurry(time.Now().Add(closeWithin), true)
	}
	select {
	case <-o.ended:
	case <-time.After(2 * time.Second): // the disk does not keep up
	}
}

// hurryAll is for the keeper's own end: it remembers what it leaves, for the next keeper.
func (k *keeper) hurryAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range k.open {
		o.sink.overrun.Store(true)
		for _, f := range o.streams {
			f.hurry(time.Now(), false)
		}
	}
}

func (k *keeper) awaitIdle(ctx context.Context) {
	t := time.NewTicker(idleCheck)
	defer t.Stop()
	for idle := 0; idle < idleChecks; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		k.mu.Lock()
		busy := func(s Service) bool { return s.Busy() }
		if idle++; k.conns > 0 || len(k.open) > 0 || slices.ContainsFunc(k.services, busy) {
			idle = 0
		}
		k.mu.Unlock()
	}
}

func (k *keeper) count(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.conns += n
}

func (k *keeper) streamFile(id string) string {
	return filepath.Join(k.dir, streamsName, strings.ReplaceAll(id, "/", "_")+".json")
}
