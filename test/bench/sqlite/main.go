// Command sqlite takes, keeps, searches and follows the same log lines with SQLite and with our log store, and prints the figures side by
// side. It is a module of its own, so that SQLite never becomes a dependency of Roadstead. Both acknowledge a batch when it is on the
// disk: SQLite with a write-ahead log and synchronous=FULL. Neither has the API in front of it.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A line is an event of a log. Times are epoch milliseconds.
type line struct {
	time int64
	text string
}

// A store keeps lines of streams.
type store interface {
	// create makes a stream.
	create(stream string) error
	// add returns when the lines are on the disk.
	add(stream string, lines []line) error
	// search calls found with each line that has the word in it, in the order of their times, and returns the bytes of all lines.
	search(word string, found func(text string)) (bytes int64, err error)
	// follow calls seen with each line that is added from now on, until stop is closed.
	follow(stop <-chan struct{}, seen func(text string)) error
	close() error
}

const batchLines = 500

// batch makes lines as a web server writes them; one in a thousand is an error.
func batch(number int) []line {
	out := make([]line, batchLines)
	for k := range out {
		i := k + number*batchLines
		status := 200
		word := "served"
		if i%1000 == 0 {
			status, word = 503, "UNAVAILABLE"
		}
		out[k] = line{1777636800000 + int64(i), fmt.Sprintf(
			`10.0.%d.%d - - "GET /api/v1/items/%d HTTP/1.1" %d %d "curl/8.5.0" request=%08x took=%dms %s`,
			i%7, i%251, i*7919%100000, status, 300+i*31%9000, uint32(i)*2654435761, i%97, word)}
	}
	return out
}

func size(lines []line) (n int64) {
	for i := range lines {
		n += int64(len(lines[i].text))
	}
	return n
}

// figures are what one store did.
type figures struct {
	ingest1, ingest8 float64       // events a second
	work             time.Duration // of processor time for an event, with 8 writers
	stored           float64       // bytes on the disk for each byte of lines
	filter, filtered float64       // GB/s, and GB for a second of processor time
	matches          int
	p50, p99         time.Duration // from the call that adds a line until a follower has it
}

func main() {
	batches := flag.Int("batches", 2000, "batches of 500 lines")
	flag.Parse()
	if err := compare(*batches); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(batches int) error {
	fmt.Printf("%d lines, %d MB, batches of %d\n\n", batches*batchLines, int64(batches)*size(batch(1))>>20, batchLines)
	fmt.Printf("%-10s %12s %12s %12s %12s %12s %12s %12s %12s\n", "", "events/s", "8 writers", "cpu/event", "stored/raw", "filter GB/s", "GB/cpu s", "tail p50", "tail p99")
	show := func(name string, f figures) {
		fmt.Printf("%-10s %12.0f %12.0f %12s %12.3f %12.3f %12.3f %12s %12s\n", name, f.ingest1, f.ingest8, f.work, f.stored, f.filter, f.filtered, f.p50, f.p99)
	}
	theirs, err := measure(batches, openSQLite)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	show("sqlite", theirs)
	ours, err := measure(batches, openOurs)
	if err != nil {
		return fmt.Errorf("logstore: %w", err)
	}
	show("logstore", ours)
	if ours.matches != theirs.matches {
		return fmt.Errorf("they found %d lines, and we %d", theirs.matches, ours.matches)
	}
	fmt.Printf("%-10s %11.1fx %11.1fx %11.2fx %11.2fx %11.1fx %11.1fx\n", "ratio", ours.ingest1/theirs.ingest1, ours.ingest8/theirs.ingest8,
		ours.work.Seconds()/theirs.work.Seconds(), ours.stored/theirs.stored, ours.filter/theirs.filter, ours.filtered/theirs.filtered)
	return nil
}

func measure(batches int, open func(dir string) (store, error)) (f figures, err error) {
	dir, err := os.MkdirTemp("", "logbench")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	if f.ingest1, _, err = ingest(filepath.Join(dir, "one"), batches/4, 1, open, nil); err != nil {
		return f, err
	}
	f.ingest8, f.work, err = ingest(filepath.Join(dir, "eight"), batches, 8, open, func(s store) error {
		began, work, bytes := time.Now(), processor(), int64(0)
		for range 3 {
			n, err := s.search("UNAVAILABLE", func(string) { f.matches++ })
			if err != nil {
				return err
			}
			bytes += n
		}
		f.filter = float64(bytes) / 1e9 / time.Since(began).Seconds()
		f.filtered = float64(bytes) / 1e9 / (processor() - work).Seconds()
		return tail(s, &f)
	})
	if err != nil {
		return f, err
	}
	var raw int64
	for n := range batches {
		raw += size(batch(n))
	}
	disk, err := onDisk(filepath.Join(dir, "eight"))
	f.stored = float64(disk) / float64(raw)
	return f, err
}

// ingest adds batches by several writers at once, each to a stream of its own, and returns the rate, and an event's processor time.
func ingest(dir string, batches, writers int, open func(string) (store, error), then func(store) error) (rate float64, work time.Duration, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return 0, 0, err
	}
	s, err := open(dir)
	if err != nil {
		return 0, 0, err
	}
	all := make([][]line, batches)
	for i := range all {
		all[i] = batch(i)
	}
	var wg sync.WaitGroup
	failed := make([]error, writers)
	for w := range writers {
		if err := s.create(fmt.Sprint("s", w)); err != nil {
			return 0, 0, err
		}
	}
	began, before := time.Now(), processor()
	for w := range writers {
		wg.Go(func() {
			for i := w; i < batches && failed[w] == nil; i += writers {
				failed[w] = s.add(fmt.Sprint("s", w), all[i])
			}
		})
	}
	wg.Wait()
	rate, work = float64(batches*batchLines)/time.Since(began).Seconds(), (processor()-before)/time.Duration(batches*batchLines)
	if err := errors.Join(failed...); err != nil {
		return 0, 0, err
	}
	if then != nil {
		if err := then(s); err != nil {
			return 0, 0, err
		}
	}
	return rate, work, s.close()
}

// tail adds a line every two milliseconds while a follower reads.
func tail(s store, f *figures) error {
	const lines = 2000
	var mu sync.Mutex
	added := make([]time.Time, lines)
	var took []time.Duration
	all, stop, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.follow(stop, func(text string) {
			var i int
			if n, _ := fmt.Sscanf(text, "tail %d", &i); n == 1 {
				mu.Lock()
				took = append(took, time.Since(added[i]))
				mu.Unlock()
				if len(took) == lines {
					close(all)
				}
			}
		})
	}()
	time.Sleep(100 * time.Millisecond) // the follower is there
	for i := range lines {
		mu.Lock()
		added[i] = time.Now()
		mu.Unlock()
		if err := s.add("s0", []line{{1800000000000 + int64(i), fmt.Sprintf("tail %d", i)}}); err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	<-all
	close(stop)
	slices.SortFunc(took, cmp.Compare[time.Duration])
	f.p50, f.p99 = took[lines/2].Round(time.Microsecond), took[lines*99/100].Round(time.Microsecond)
	return <-ended
}

// processor is how long this process has computed.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func onDisk(dir string) (n int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return err
	})
	return n, err
}
