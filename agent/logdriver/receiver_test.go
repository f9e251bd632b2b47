package logdriver

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// heard is what a receiver made of the messages that came.
type heard struct {
	mu    sync.Mutex
	lines []string         // guarded by mu
	all   []map[string]any // guarded by mu: with what is around the lines
	came  chan struct{}    // has a token when there is something new
}

func newHeard() *heard { return &heard{came: make(chan struct{}, 1)} }

func (h *heard) add(line string, m map[string]any) {
	h.mu.Lock()
	h.lines, h.all = append(h.lines, line), append(h.all, m)
	h.mu.Unlock()
	select {
	case h.came <- struct{}{}:
	default:
	}
}

func (h *heard) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.lines...)
}

// await waits until enough says yes of the lines.
func (h *heard) await(t *testing.T, enough func([]string) bool) []string {
	t.Helper()
	for {
		if lines := h.got(); enough(lines) {
			return lines
		}
		select {
		case <-h.came:
		case <-t.Context().Done():
			t.Fatalf("%d lines only", len(h.got()))
		}
	}
}

// decode reads one message, or the messages of one packet, from r, and answers on w if the protocol does.
type decode func(r *bufio.Reader, w io.Writer, h *heard) error

// streamReceiver listens for connections. It can stop reading, and be killed and started again at the same place.
type streamReceiver struct {
	*heard
	t       *testing.T
	network string
	at      string
	tls     *tls.Config
	decode  decode

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
	gate  sync.RWMutex // held for writing: nothing is read
	wg    sync.WaitGroup
}

func listenStream(t *testing.T, network, at string, secure *tls.Config, d decode) *streamReceiver {
	r := &streamReceiver{heard: newHeard(), t: t, network: network, at: at, tls: secure, decode: d, conns: map[net.Conn]bool{}}
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *streamReceiver) start() {
	if r.network == "unix" {
		os.Remove(r.at)
	}
	l, err := net.Listen(r.network, r.at)
	if err != nil {
		r.t.Fatal(err)
	}
	r.at, r.l = l.Addr().String(), l
	r.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns[c] = true
			r.mu.Unlock()
			r.wg.Go(func() { r.serve(c) })
		}
	})
}

func (r *streamReceiver) serve(c net.Conn) {
	defer c.Close()
	var rw io.ReadWriter = c
	if r.tls != nil {
		rw = tls.Server(c, r.tls)
	}
	in := bufio.NewReader(&gated{rw, &r.gate})
	for r.decode(in, rw, r.heard) == nil {
	}
}

// gated reads while the gate is open.
type gated struct {
	r    io.Reader
	gate *sync.RWMutex
}

func (g *gated) Read(b []byte) (int, error) {
	g.gate.RLock()
	n := min(len(b), 700)
	g.gate.RUnlock()
	return g.r.Read(b[:n])
}

// kill ends all connections, with what they hold.
func (r *streamReceiver) kill() {
	r.l.Close()
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
		delete(r.conns, c)
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// listenPackets is a receiver of packets.
func listenPackets(t *testing.T, network, at string, d decode) (*heard, string) {
	h := newHeard()
	c, err := net.ListenPacket(network, at)
	if err != nil {
		t.Fatal(err)
	}
	if u, ok := c.(*net.UDPConn); ok {
		if err := u.SetReadBuffer(4 << 20); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if err := d(bufio.NewReader(bytes.NewReader(b[:n])), nil, h); err != nil {
				h.add("bad packet: "+err.Error(), nil)
			}
		}
	})
	t.Cleanup(func() { c.Close(); wg.Wait() })
	return h, c.LocalAddr().String()
}

// syslogLine reads "<PRI>... TAG[PID]: LINE\n".
func syslogLine(r *bufio.Reader, _ io.Writer, h *heard) error {
	text, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	head, line, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "]: ")
	h.add(line, map[string]any{"head": head})
	return nil
}

// syslogCounted reads "LEN <PRI>1 TIME HOST APP PID MSGID - LINE\n" (RFC 5425), syslogNew the same without a length.
func syslogCounted(r *bufio.Reader, w io.Writer, h *heard) error {
	length, err := r.ReadString(' ')
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSpace(length))
	if err != nil {
		return err
	}
	return syslogNew(bufio.NewReader(io.LimitReader(r, int64(n))), w, h)
}

func syslogNew(r *bufio.Reader, _ io.Writer, h *heard) error {
	text, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	parts := strings.SplitN(strings.TrimSuffix(text, "\n"), " ", 8)
	if len(parts) != 8 {
		return fmt.Errorf("a message of %d parts: %q", len(parts), text)
	}
	h.add(parts[7], map[string]any{"pri": parts[0], "time": parts[1], "host": parts[2], "app": parts[3]})
	return nil
}

// gelfZero reads JSON up to a zero byte.
func gelfZero(r *bufio.Reader, _ io.Writer, h *heard) error {
	text, err := r.ReadBytes(0)
	if err != nil {
		return err
	}
	return gelfJSON(text[:len(text)-1], h)
}

func gelfJSON(text []byte, h *heard) error {
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	h.add(m["short_message"].(string), m)
	return nil
}

// gelfPackets puts chunks together and takes the compression off.
func gelfPackets() decode {
	type parts struct {
		have int
		data [][]byte
	}
	open := map[string]*parts{}
	return func(r *bufio.Reader, _ io.Writer, h *heard) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(b) > 12 && b[0] == 0x1e && b[1] == 0x0f {
			p := open[string(b[2:10])]
			if p == nil {
				p = &parts{data: make([][]byte, b[11])}
				open[string(b[2:10])] = p
			}
			p.data[b[10]] = b[12:]
			if p.have++; p.have < len(p.data) {
				return nil
			}
			b = bytes.Join(p.data, nil)
		}
		var in io.Reader = bytes.NewReader(b)
		switch {
		case b[0] == 0x1f:
			in, err = gzip.NewReader(in)
		case b[0] == 0x78:
			in, err = zlib.NewReader(in)
		}
		if err != nil {
			return err
		}
		if b, err = io.ReadAll(in); err != nil {
			return err
		}
		return gelfJSON(b, h)
	}
}

// forwarded reads a message of Fluentd's forward protocol, and acknowledges it if it asks for that.
func forwarded(r *bufio.Reader, w io.Writer, h *heard) error {
	v, err := unpack(r)
	if err != nil {
		return err
	}
	m, ok := v.([]any)
	if !ok || len(m) != 3 {
		return fmt.Errorf("not a forward message: %v", v)
	}
	for _, e := range m[1].([]any) {
		record := e.([]any)[1].(map[string]any)
		record["@tag"], record["@time"] = m[0], e.([]any)[0]
		h.add(record["log"].(string), record)
	}
	options := m[2].(map[string]any)
	if options["size"] != int64(len(m[1].([]any))) {
		return fmt.Errorf("size %v", options["size"])
	}
	if chunk, asks := options["chunk"].(string); asks {
		_, err = w.Write(appendString(appendString(appendMap(nil, 1), "ack"), chunk))
	}
	return err
}

// unpack reads a value of MessagePack, of the kinds that Fluentd has.
func unpack(r *bufio.Reader) (any, error) {
	head, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	number := func(n int) int {
		b := make([]byte, 8)
		if _, e := io.ReadFull(r, b[8-n:]); e != nil {
			err = e
		}
		return int(binary.BigEndian.Uint64(b))
	}
	text := func(n int) (any, error) {
		b := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(r, b)
		}
		return string(b), err
	}
	list := func(n int) (any, error) {
		out := []any{}
		for range n {
			v, err := unpack(r)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, err
	}
	table := func(n int) (any, error) {
		out := map[string]any{}
		for range n {
			k, err := unpack(r)
			if err != nil {
				return nil, err
			}
			if out[k.(string)], err = unpack(r); err != nil {
				return nil, err
			}
		}
		if len(out) != n {
			return nil, fmt.Errorf("a key comes twice: %v", out)
		}
		return out, err
	}
	switch {
	case head < 0x80:
		return int64(head), nil
	case head&0xf0 == 0x80:
		return table(int(head & 15))
	case head&0xf0 == 0x90:
		return list(int(head & 15))
	case head&0xe0 == 0xa0:
		return text(int(head & 31))
	}
	switch head {
	case 0xd3:
		return int64(number(8)), err
	case 0xd7:
		if kind, _ := r.ReadByte(); kind != 0 {
			return nil, fmt.Errorf("extension %d", kind)
		}
		return fmt.Sprintf("%d.%09d", number(4), number(4)), err
	case 0xd9:
		return text(number(1))
	case 0xda:
		return text(number(2))
	case 0xdb:
		return text(number(4))
	case 0xdd:
		return list(number(4))
	case 0xdf:
		return table(number(4))
	}
	return nil, fmt.Errorf("head %#x", head)
}

// journalEntry reads the fields of an entry of the journal.
func journalEntry(r *bufio.Reader, _ io.Writer, h *heard) error {
	m := map[string]any{}
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			h.add(m["MESSAGE"].(string), m)
			return nil
		}
		if err != nil {
			return err
		}
		name, value, one := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !one {
			var n uint64
			if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
				return err
			}
			b := make([]byte, n+1)
			if _, err := io.ReadFull(r, b); err != nil {
				return err
			}
			value = string(b[:n])
		}
		m[name] = value
	}
}

func socketPath(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(t.TempDir(), name)
}

// killHung kills a receiver whose gate is closed, so that what came meanwhile is never read.
func (r *streamReceiver) killHung() {
	r.l.Close()
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
		delete(r.conns, c)
	}
	r.mu.Unlock()
	r.gate.Unlock()
	r.wg.Wait()
}
