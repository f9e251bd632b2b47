package logstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/roadstead/roadstead/logstore"
)

const batchLines = 500

// lines are n events as a web server writes them, each other than those of other numbers.
func lines(n, number int) []logstore.Event {
	events := make([]logstore.Event, n)
	for k := range events {
		i := k + number*n
		events[k] = logstore.Event{Time: 1777636800000 + int64(i), Message: fmt.Sprintf(
			`10.0.%d.%d - - "GET /api/v1/items/%d HTTP/1.1" 200 %d "curl/8.5.0" request=%08x took=%dms`, i%7, i%251, i*7919%100000, 300+i*31%9000, i*2654435761, i%97)}
	}
	return events
}

// What one writer gets acknowledged, beside a file that the same bytes are appended to and synced. Events a second are the measure.
func BenchmarkAppend(b *testing.B) {
	batches := make([][]logstore.Event, 64) // more than a block or what zstd looks back
	for i := range batches {
		batches[i] = lines(batchLines, i)
	}
	raw := []byte{}
	for _, e := range batches[0] {
		raw = append(raw, e.Message...)
	}
	perSecond := func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportMetric(float64(b.N*batchLines)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("floor", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		for b.Loop() {
			if _, err := f.Write(raw); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b)
	})
	for _, c := range []struct {
		writers int
		name    string
		key     *logstore.Key
	}{{1, "store", nil}, {1, "locked", testKey(b, 1)}, {32, "store", nil}, {32, "locked", testKey(b, 1)}} {
		writers := c.writers
		b.Run(fmt.Sprintf("%s/writers=%d", c.name, writers), func(b *testing.B) {
			s, err := logstore.Open(logstore.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			g, err := s.Group("g")
			if err != nil {
				b.Fatal(err)
			}
			for i := range writers {
				if err := g.CreateStream(fmt.Sprint(i), 1); err != nil {
					b.Fatal(err)
				}
			}
			work := make(chan int)
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() {
					for n := range work {
						if err := g.AppendLocked(fmt.Sprint(i), batches[n%len(batches)], 1, c.key); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for n := 0; b.Loop(); n++ {
				work <- n
			}
			close(work)
			wg.Wait()
			perSecond(b)
			u := g.Usage()
			b.ReportMetric(float64(u.Disk)/float64(u.Bytes), "disk/raw")
		})
	}
}

// What a reader of all streams sees, and one of one stream among a hundred.
func BenchmarkRead(b *testing.B) {
	s, err := logstore.Open(logstore.Config{Dir: b.TempDir(), Sync: noSync})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	g, err := s.Group("g")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		if err := g.CreateStream(fmt.Sprint(i), 1); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 1000 {
		events := lines(batchLines, i)
		if err := g.Append(fmt.Sprint(i%100), events, 1); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]logstore.Query{"all": {}, "one": {Streams: []string{"7"}}, "newest": {Reverse: true}} {
		b.Run(name, func(b *testing.B) {
			n, bytes := 0, 0
			for b.Loop() {
				for e, err := range g.Events(q) {
					if err != nil {
						b.Fatal(err)
					}
					bytes += len(e.Message)
					if n++; name == "newest" && n%100 == 0 {
						break
					}
				}
			}
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// What a search for a rare word looks through, over sealed files.
func BenchmarkSearch(b *testing.B) {
	s, err := logstore.Open(logstore.Config{Dir: b.TempDir(), Sync: noSync})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	g, err := s.Group("g")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 8 {
		if err := g.CreateStream(fmt.Sprint(i), 1); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 1000 {
		if err := g.Append(fmt.Sprint(i%8), lines(batchLines, i), 1); err != nil {
			b.Fatal(err)
		}
	}
	bytes := 0
	for b.Loop() {
		n := 0
		for _, err := range g.Events(logstore.Query{Match: func(m string) bool { bytes += len(m); return strings.Contains(m, "request=000") }}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n == 0 {
			b.Fatal("nothing was found")
		}
	}
	b.ReportMetric(float64(bytes)/1e9/b.Elapsed().Seconds(), "GB/s")
}
