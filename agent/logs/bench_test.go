package logs

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/agent/logdriver"
)

// BenchmarkHand is the way of a line from the log's file to a receiver on the same machine, floor the same bytes copied over the same
// kind of socket.
func BenchmarkHand(b *testing.B) {
	line := strings.Repeat("x", 99) + "\n"
	at := filepath.Join(b.TempDir(), "s.sock")
	l, err := net.Listen("unix", at)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, bufio.NewReader(c)); c.Close() }()
		}
	}()
	d := &dock{t: b, path: filepath.Join(b.TempDir(), "c.json")}
	const lines = 5000
	d.write(Stdout, strings.Repeat(line, lines))
	b.Run("fluentd", func(b *testing.B) {
		s, err := NewShipper(ShipperConfig{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		sh := newShipment(s)
		sh.ID, sh.Path, sh.Receiver = "c", d.path, &Receiver{Driver: logdriver.Fluentd, Options: map[string]string{"fluentd-address": "unix://" + at}}
		if err := sh.makeDriver(); err != nil {
			b.Fatal(err)
		}
		defer sh.close()
		if err := sh.look(); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(lines * len(line)))
		for b.Loop() {
			sh.Offset = 0
			for more := true; more; {
				if more, err = sh.hand(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("floor", func(b *testing.B) {
		c, err := net.DialTimeout("unix", at, time.Second)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		all := []byte(strings.Repeat(line, lines))
		b.SetBytes(int64(len(all)))
		for b.Loop() {
			if _, err := c.Write(all); err != nil {
				b.Fatal(err)
			}
		}
	})
}
