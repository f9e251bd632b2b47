package sim_test

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// cables connect nodes and callers with members, all inside one bubble. Whoever is cut off hears and reaches nobody; what was
// sent meanwhile arrives when he is back, as TCP would have it.
type cables struct {
	mu        sync.Mutex
	listeners map[string]*listener
	ends      map[string]map[*end]struct{} // by owner
	off       map[string]chan struct{}     // of those cut off: closed when they are back
}

func newCables() *cables {
	return &cables{listeners: map[string]*listener{}, ends: map[string]map[*end]struct{}{}, off: map[string]chan struct{}{}}
}

// cut takes somebody off the network.
func (c *cables) cut(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off[who] == nil {
		c.off[who] = make(chan struct{})
	}
	for e := range c.ends[who] {
		e.stall(true)
	}
}

// mend brings him back.
func (c *cables) mend(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if back := c.off[who]; back != nil {
		close(back)
		delete(c.off, who)
	}
	for e := range c.ends[who] {
		_, cut := c.off[e.peer.owner]
		e.stall(cut)
	}
}

// dial connects somebody with a listener's address. It waits while either is cut off.
func (c *cables) dial(ctx context.Context, who, addr string) (net.Conn, error) {
	for {
		conn, wait, err := c.tryDial(who, addr)
		if wait == nil {
			return conn, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: "cable", Err: ctx.Err()}
		}
	}
}

func (c *cables) tryDial(who, addr string) (conn net.Conn, wait <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range []string{who, addr} {
		if back := c.off[x]; back != nil {
			return nil, back, nil
		}
	}
	l := c.listeners[addr]
	if l == nil {
		return nil, nil, &net.OpError{Op: "dial", Net: "cable", Err: os.ErrNotExist}
	}
	here, there := newEnd(c, who), newEnd(c, addr)
	here.peer, there.peer = there, here
	for _, e := range []*end{here, there} {
		if c.ends[e.owner] == nil {
			c.ends[e.owner] = map[*end]struct{}{}
		}
		c.ends[e.owner][e] = struct{}{}
	}
	l.backlog = append(l.backlog, there)
	l.signal()
	return here, nil, nil
}

func (c *cables) forget(e *end) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends[e.owner], e)
}

// listen makes an address reachable until the listener is closed.
func (c *cables) listen(addr string) net.Listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &listener{c: c, addr: addr, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	c.listeners[addr] = l
	return l
}

// listener takes connections. Its backlog is guarded by the cables' mu.
type listener struct {
	c       *cables
	addr    string
	backlog []*end
	wake    chan struct{}
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		l.c.mu.Lock()
		if len(l.backlog) > 0 {
			e := l.backlog[0]
			l.backlog = l.backlog[1:]
			l.c.mu.Unlock()
			return e, nil
		}
		l.c.mu.Unlock()
		select {
		case <-l.wake:
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.c.mu.Lock()
		if l.c.listeners[l.addr] == l {
			delete(l.c.listeners, l.addr)
		}
		left := l.backlog
		l.backlog = nil
		l.c.mu.Unlock()
		close(l.closed)
		for _, e := range left {
			e.Close()
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return address(l.addr) }

type address string

func (a address) Network() string { return "cable" }
func (a address) String() string  { return string(a) }

// end is one end of a connection: what the other wrote waits here to be read.
type end struct {
	c     *cables
	owner string
	peer  *end

	mu       sync.Mutex
	inbox    []byte
	gone     bool // this end is closed
	over     bool // the other one is: what is in the inbox is the last
	stalled  bool
	deadline time.Time
	timer    *time.Timer
	changed  chan struct{} // closed when a waiting reader should look again; nil if none waits
}

func newEnd(c *cables, owner string) *end { return &end{c: c, owner: owner} }

// change wakes the reader. Caller holds mu.
func (e *end) change() {
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// stall stops or resumes both directions.
func (e *end) stall(on bool) {
	for _, x := range []*end{e, e.peer} {
		x.mu.Lock()
		x.stalled = on
		x.change()
		x.mu.Unlock()
	}
}

func (e *end) Read(p []byte) (int, error) {
	for {
		n, wait, err := e.tryRead(p)
		if wait == nil {
			return n, err
		}
		<-wait
	}
}

func (e *end) tryRead(p []byte) (int, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.gone:
		return 0, nil, net.ErrClosed
	case !e.deadline.IsZero() && !time.Now().Before(e.deadline):
		return 0, nil, os.ErrDeadlineExceeded
	case !e.stalled && len(e.inbox) > 0:
		n := copy(p, e.inbox)
		if e.inbox = e.inbox[n:]; len(e.inbox) == 0 {
			e.inbox = nil
		}
		return n, nil, nil
	case !e.stalled && e.over:
		return 0, nil, io.EOF
	case len(p) == 0:
		return 0, nil, nil
	}
	if e.changed == nil {
		e.changed = make(chan struct{})
	}
	return 0, e.changed, nil
}

// Write never waits: the network takes everything.
func (e *end) Write(p []byte) (int, error) {
	e.mu.Lock()
	gone := e.gone
	e.mu.Unlock()
	if gone {
		return 0, net.ErrClosed
	}
	x := e.peer
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone && !x.stalled {
		return 0, &net.OpError{Op: "write", Net: "cable", Err: io.ErrClosedPipe}
	}
	x.inbox = append(x.inbox, p...)
	x.change()
	return len(p), nil
}

func (e *end) Close() error {
	e.mu.Lock()
	was := e.gone
	e.gone = true
	if e.timer != nil {
		e.timer.Stop()
	}
	e.change()
	e.mu.Unlock()
	if was {
		return nil
	}
	e.c.forget(e)
	x := e.peer
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	x.change()
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.deadline = t
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if left := time.Until(t); !t.IsZero() && left > 0 { // net/http ends reads with deadlines long past: no timer is made for those
		e.timer = time.AfterFunc(left, func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.change()
		})
	}
	e.change()
	return nil
}

func (e *end) SetDeadline(t time.Time) error      { return e.SetReadDeadline(t) }
func (e *end) SetWriteDeadline(_ time.Time) error { return nil }
func (e *end) LocalAddr() net.Addr                { return address(e.owner) }
func (e *end) RemoteAddr() net.Addr               { return address(e.peer.owner) }
