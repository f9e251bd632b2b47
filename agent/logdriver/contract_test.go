package logdriver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A way is a driver with a receiver for it.
type way struct {
	driver  string
	options map[string]string
	*heard
	stream *streamReceiver // nil for packets and HTTP
	empty  bool            // lines without a character arrive
	bend   func(Driver)    // before it connects
}

// ways are all drivers over all their protocols.
func ways(t *testing.T) map[string]func(*testing.T) *way {
	t.Helper()
	over := func(driver, scheme string, d decode, options ...string) func(*testing.T) *way {
		return func(t *testing.T) *way {
			network, at := scheme, "127.0.0.1:0"
			if scheme == "unix" {
				at = socketPath(t, "s.sock")
			}
			r := listenStream(t, network, at, nil, d)
			w := &way{driver: driver, options: map[string]string{driver + "-address": scheme + "://" + r.at}, heard: r.heard, stream: r, empty: driver != GELF}
			for i := 0; i < len(options); i += 2 {
				w.options[options[i]] = options[i+1]
			}
			return w
		}
	}
	packets := func(driver, scheme string, d func() decode, options ...string) func(*testing.T) *way {
		return func(t *testing.T) *way {
			at := "127.0.0.1:0"
			if scheme == "unixgram" {
				at = socketPath(t, "s.sock")
			}
			h, at := listenPackets(t, scheme, at, d())
			w := &way{driver: driver, options: map[string]string{driver + "-address": scheme + "://" + at}, heard: h, empty: driver != GELF}
			for i := 0; i < len(options); i += 2 {
				w.options[options[i]] = options[i+1]
			}
			return w
		}
	}
	one := func(d decode) func() decode { return func() decode { return d } }
	return map[string]func(*testing.T) *way{
		"syslog, tcp":            over(Syslog, "tcp", syslogLine),
		"syslog, tcp, rfc3164":   over(Syslog, "tcp", syslogLine, "syslog-format", "rfc3164"),
		"syslog, tcp, rfc5424":   over(Syslog, "tcp", syslogNew, "syslog-format", "rfc5424"),
		"syslog, unix, micro":    over(Syslog, "unix", syslogNew, "syslog-format", "rfc5424micro"),
		"syslog, udp":            packets(Syslog, "udp", one(syslogLine)),
		"syslog, unixgram":       packets(Syslog, "unixgram", one(syslogLine)),
		"syslog, tls":            secureSyslog,
		"fluentd, tcp":           over(Fluentd, "tcp", forwarded),
		"fluentd, unix, precise": over(Fluentd, "unix", forwarded, "fluentd-sub-second-precision", "true"),
		"fluentd, unix, far":     farSocket,
		"fluentd, acknowledged":  over(Fluentd, "tcp", forwarded, "fluentd-request-ack", "true"),
		"gelf, tcp":              over(GELF, "tcp", gelfZero),
		"gelf, udp":              packets(GELF, "udp", gelfPackets),
		"gelf, udp, zlib":        packets(GELF, "udp", gelfPackets, "gelf-compression-type", "zlib", "gelf-compression-level", "9"),
		"gelf, udp, as it is":    packets(GELF, "udp", gelfPackets, "gelf-compression-type", "none"),
		"splunk":                 collected("splunk-gzip", "false"),
		"splunk, compressed":     collected("splunk-gzip", "true"),
		"journald": func(t *testing.T) *way {
			h, at := listenPackets(t, "unixgram", socketPath(t, "journal"), journalEntry)
			return &way{driver: Journald, heard: h, empty: true, bend: func(d Driver) { d.(*journald).to.at = at }}
		},
	}
}

func collected(options ...string) func(*testing.T) *way {
	return func(t *testing.T) *way {
		c := &collector{heard: newHeard(), asked: map[string]int{}}
		s := httptest.NewServer(c)
		t.Cleanup(s.Close)
		w := &way{driver: Splunk, options: map[string]string{"splunk-url": s.URL, "splunk-token": "sesame"}, heard: c.heard}
		for i := 0; i < len(options); i += 2 {
			w.options[options[i]] = options[i+1]
		}
		return w
	}
}

// farSocket has a path that is longer than the address of a socket.
func farSocket(t *testing.T) *way {
	near := socketPath(t, "s")
	far := filepath.Join(filepath.Dir(near), strings.Repeat("d", 120))
	if err := os.Mkdir(far, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(filepath.Dir(near), "l")
	if err := os.Symlink(far, link); err != nil {
		t.Fatal(err)
	}
	r := listenStream(t, "unix", filepath.Join(link, "s"), nil, forwarded)
	return &way{driver: Fluentd, options: map[string]string{"fluentd-address": "unix://" + filepath.Join(far, "s")}, heard: r.heard, stream: r, empty: true}
}

func secureSyslog(t *testing.T) *way {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "receiver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := tls.Certificate{Certificate: [][]byte{cert}, PrivateKey: key}
	r := listenStream(t, "tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, syslogCounted)
	return &way{driver: Syslog, heard: r.heard, stream: r, empty: true, options: map[string]string{
		"syslog-address": "tcp+tls://" + r.at, "syslog-tls-ca-cert": ca, "syslog-format": "rfc5424",
	}}
}

func (w *way) open(t *testing.T) Driver {
	t.Helper()
	options := maps.Clone(w.options)
	if err := Check(w.driver, options); err != nil {
		t.Fatal(err)
	}
	d, err := New(w.driver, options, Facts{ID: "task-web", Name: "ecs-f-1-web-task", Image: "probe", Host: "node", Extra: map[string]string{"stage": "prod"}})
	if err != nil {
		t.Fatal(err)
	}
	if w.bend != nil {
		w.bend(d)
	}
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func batch(lines ...string) []Message {
	out := make([]Message, len(lines))
	for i, l := range lines {
		out[i] = Message{Line: l, Stream: []string{"stdout", stderr}[i%2], Time: time.Date(2026, 5, 1, 10, 0, 0, i*1000, time.UTC)}
	}
	return out
}

// pause lets others work.
func pause() { <-time.NewTimer(time.Millisecond).C }

// Whatever the driver, lines arrive in their order and as they are, up to the longest.
func TestOrderAndBytes(t *testing.T) {
	lines := []string{"one", "", `"quoted" \ and {"a":1}`, "tabs\tand spaces  ", "ünïcödé 漢字", strings.Repeat("x", 16<<10), strings.Repeat("é\"", 5000), "<13>last: ]: =\x01"}
	for name, open := range ways(t) {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			d := w.open(t)
			want := lines
			if !w.empty {
				want = slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return s == "" })
			}
			for range 3 {
				if err := d.Send(t.Context(), batch(lines...)); err != nil {
					t.Fatal(err)
				}
				if err := d.Send(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			want = slices.Concat(want, want, want)
			got := w.await(t, func(all []string) bool { return len(all) >= len(want) })
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("message %d is %.80q, want %.80q", i, got[i], want[i])
				}
			}
		})
	}
}

// A receiver that is killed, with lines that it has not read, and starts again has them all in the end; some come twice.
func TestReceiverRestarts(t *testing.T) {
	for name, open := range ways(t) {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			if w.stream == nil {
				return // datagrams: nothing says that they were lost
			}
			d := w.open(t)
			n := 0
			send := func(count int) {
				for range count {
					m := batch(fmt.Sprintf("line %d", n))
					for d.Send(t.Context(), m) != nil {
						if t.Context().Err() != nil {
							t.Fatal("the test is over")
						}
						pause()
					}
					n++
				}
			}
			read := func(s string) bool { return slices.Contains(w.got(), s) }
			for round := range 3 {
				send(50)
				last := fmt.Sprintf("line %d", n-1)
				w.await(t, func([]string) bool { return read(last) })
				if w.options["fluentd-request-ack"] == "" && w.stream.network == "tcp" { // others wait for a receiver that hangs
					w.stream.gate.Lock()
					send(20)
					w.stream.killHung()
				} else {
					w.stream.kill()
				}
				if round == 1 {
					_ = d.Send(t.Context(), nil) // nobody is there now
				}
				w.stream.start()
			}
			send(10)
			for !read(fmt.Sprintf("line %d", n-1)) {
				_ = d.Send(t.Context(), nil)
				pause()
			}
			seen := map[string]bool{}
			next := 0
			for _, l := range w.got() {
				if !seen[l] && l != fmt.Sprintf("line %d", next) {
					t.Fatalf("%q comes before line %d", l, next)
				}
				if !seen[l] {
					next++
				}
				seen[l] = true
			}
			if next != n {
				t.Errorf("%d of %d lines", next, n)
			}
		})
	}
}

// Nobody listens: Docker's drivers do not begin then, and fluentd that is asynchronous does.
func TestNobodyListens(t *testing.T) {
	for _, c := range []struct {
		driver  string
		options map[string]string
		want    string // "" if it begins
	}{
		{Syslog, map[string]string{"syslog-address": "tcp://127.0.0.1:1"}, "dial tcp 127.0.0.1:1: connect: connection refused"},
		{Fluentd, map[string]string{"fluentd-address": "127.0.0.1:1"}, "dial tcp 127.0.0.1:1: connect: connection refused"},
		{Fluentd, map[string]string{"fluentd-address": "127.0.0.1:1", "fluentd-async": "true"}, ""},
		{GELF, map[string]string{"gelf-address": "tcp://127.0.0.1:1"}, "dial tcp 127.0.0.1:1: connect: connection refused"},
		{GELF, map[string]string{"gelf-address": "udp://127.0.0.1:1"}, ""},
		{Splunk, map[string]string{"splunk-url": "http://127.0.0.1:1", "splunk-token": "t"}, "splunk: failed to verify connection - "},
		{Splunk, map[string]string{"splunk-url": "http://127.0.0.1:1", "splunk-token": "t", "splunk-verify-connection": "false"}, ""},
	} {
		d, err := New(c.driver, c.options, Facts{})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Connect(t.Context())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%s %v: %v", c.driver, c.options, err)
		}
		_ = d.Close()
	}
	d, err := newJournald(nil, Facts{})
	if err != nil {
		t.Fatal(err)
	}
	d.to.at = filepath.Join(t.TempDir(), "none")
	if err := d.Connect(t.Context()); err == nil || err.Error() != "journald is not enabled on this host" {
		t.Errorf("journald: %v", err)
	}
}
