package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
)

// ReadOptions choose what Read yields.
type ReadOptions struct {
	Offset int64         // begin at this byte, the beginning of a record; 0 = of the file
	Tail   int           // at most so many of the last records; 0 = all. It goes before Offset
	Follow bool          // wait for more at the end, until ctx ends
	Poll   time.Duration // how often Follow looks; 0 = 100 ms
}

// Entry is a record and the byte after it, where a later Read can go on (ReadOptions.Offset).
type Entry struct {
	Record
	Next int64
}

// Read yields the records of a log file in order. A file that does not exist is an error unless Follow, which waits
// for it. A torn last line (a machine that lost power) is skipped once a whole line follows it.
func Read(ctx context.Context, path string, o ReadOptions) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if o.Poll == 0 {
			o.Poll = 100 * time.Millisecond
		}
		f, err := openWhenThere(ctx, path, o)
		if err != nil || f == nil {
			if err != nil {
				yield(Entry{}, err)
			}
			return
		}
		defer f.Close()
		if err := seek(f, &o); err != nil {
			yield(Entry{}, fmt.Errorf("read log: %w", err))
			return
		}
		if err := readFrom(ctx, f, o, yield); err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, fmt.Errorf("read log: %w", err))
		}
	}
}

var errStop = errors.New("reader has enough")

func readFrom(ctx context.Context, f *os.File, o ReadOptions, yield func(Entry, error) bool) error {
	in := bufio.NewReaderSize(f, 64<<10)
	at := o.Offset
	var line []byte
	for {
		part, err := in.ReadBytes('\n')
		line = append(line, part...)
		if err == nil {
			at += int64(len(line))
			if r, perr := ParseRecord(line); perr == nil && !yield(Entry{Record: r, Next: at}, nil) {
				return errStop
			}
			line = line[:0]
			continue
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		if !o.Follow || !pause(ctx, o.Poll) {
			return nil
		}
	}
}

func openWhenThere(ctx context.Context, path string, o ReadOptions) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if err == nil {
			return f, nil
		}
		if !o.Follow || !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("open log: %w", err)
		}
		if !pause(ctx, o.Poll) {
			return nil, nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// seek puts f at the offset that o asks for and sets it in o.
func seek(f *os.File, o *ReadOptions) error {
	if o.Tail > 0 {
		at, err := tailOffset(f, o.Tail)
		if err != nil {
			return err
		}
		o.Offset = at
	}
	o.Offset = dataAt(f, o.Offset)
	_, err := f.Seek(o.Offset, io.SeekStart)
	return err
}

// tailOffset finds where the last n lines begin, reading backwards.
func tailOffset(f *os.File, n int) (int64, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	begin := dataAt(f, 0)
	buf := make([]byte, 32<<10)
	end, seen := size, 0
	for end > begin {
		from := max(begin, end-int64(len(buf)))
		b := buf[:end-from]
		if _, err := f.ReadAt(b, from); err != nil {
			return 0, err
		}
		for i := len(b); i > 0; {
			i = bytes.LastIndexByte(b[:i], '\n')
			if i < 0 {
				break
			}
			if from+int64(i)+1 == size { // the end of the last line begins none
				continue
			}
			if seen++; seen == n {
				return from + int64(i) + 1, nil
			}
		}
		end = from
	}
	return begin, nil
}
