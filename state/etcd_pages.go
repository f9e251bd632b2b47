package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pages gives back the memory that etcd's database is mapped into while little is written. All of the file is in memory after a start,
// after it has grown and after a compaction; but rows are read from tables, so hardly a page is needed again.
type pages struct {
	file     string // the database
	revision func() int64
	every    time.Duration
	log      *slog.Logger

	stop    context.CancelFunc
	running sync.WaitGroup
}

// littleWritten is how many revisions between two looks are so few that pages are given back: what each reads again is little.
const littleWritten = 500

func (p *pages) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.running.Go(func() { p.watch(ctx) })
}

// end ends what start began, before the database is closed.
func (p *pages) end() {
	p.stop()
	p.running.Wait()
}

func (p *pages) watch(ctx context.Context) {
	for last := p.revision(); pause(ctx, p.every); {
		now := p.revision()
		if now-last < littleWritten {
			if err := pageOut(p.file); err != nil { // not by a kernel before 5.4
				p.log.Debug("give memory of etcd's database back", "err", err)
				return
			}
		}
		last = now
	}
}

// pageOut has the kernel take back the memory that a file of this process is mapped into; what is read again comes from the file. Where
// the file is mapped may change meanwhile. That does no harm: all that this advice costs, wherever it hits, is time.
func pageOut(file string) error {
	whole, err := filepath.Abs(file)
	if err == nil {
		whole, err = filepath.EvalSymlinks(whole)
	}
	b, unread := os.ReadFile("/proc/self/maps")
	if err = errors.Join(err, unread); err != nil {
		return fmt.Errorf("find where %s is mapped: %w", file, err)
	}
	for line := range strings.Lines(string(b)) {
		if !strings.HasSuffix(line, " "+whole+"\n") {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(line, "%x-%x ", &from, &to); err != nil {
			return fmt.Errorf("read %q: %w", line, err)
		}
		if _, _, no := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_PAGEOUT); no != 0 && !errors.Is(no, unix.ENOMEM) { // it is mapped elsewhere by now
			return fmt.Errorf("give back memory of %s: %w", file, no)
		}
	}
	return nil
}
