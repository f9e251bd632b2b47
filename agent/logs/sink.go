package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limits say what becomes of lines that a container's log has no room for (docs/decisions/026). They are in a file beside the log's, so that
// a keeper that replaces another knows them.
type Limits struct {
	// Sent is the file of the Shipper that says how far lines have been taken; "" if nobody sends them.
	Sent string `json:"sent,omitempty"`
	// Backlog is how many bytes may wait to be sent. With Blocking the container waits when there are more, otherwise its lines are lost.
	Backlog  int64 `json:"backlog,omitempty"`
	Blocking bool  `json:"blocking,omitempty"`
	// Keep is how many bytes are kept to be read here. Older ones go, once they have been sent. Negative means all.
	Keep int64 `json:"keep"`
}

// limitsFile is where the limits of the log at path are.
func limitsFile(path string) string {
	return filepath.Join(filepath.Dir(path), "limits", filepath.Base(path))
}

// SetLimits sets those of the log at path, before it is opened.
func SetLimits(path string, l Limits) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	file := limitsFile(path)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make limits directory: %w", err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return fmt.Errorf("write limits of a log: %w", err)
	}
	return nil
}

// limitsOf are the limits of the log at path. One without has none.
func limitsOf(path string) Limits {
	l := Limits{Keep: -1}
	if b, err := os.ReadFile(limitsFile(path)); err != nil || json.Unmarshal(b, &l) != nil {
		return Limits{Keep: -1}
	}
	return l
}

// sink is the log file of one container. Both streams write whole records to it, each batch in one call.
type sink struct {
	limits  Limits
	overrun atomic.Bool // the container has ended: what its pipes hold is taken whatever the limits say

	mu      sync.Mutex
	f       *os.File // opened to append; guarded by mu, as all below
	size    int64
	sent    int64
	trimmed int64

	losing  sync.Mutex // what is below, so that who asks does not wait for the disk; taken after mu
	dropped loss       // since it was last taken
}

func newSink(f *os.File, l Limits) (*sink, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &sink{limits: l, f: f, size: info.Size()}, nil
}

const (
	roomLook  = 50 * time.Millisecond // between two looks for room
	trimBlock = 4096                  // of the file's that are given back
)

// Write takes records. It waits in mode blocking, and loses them in the other, while there is no room; and so with a full disk.
func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.room(len(b)) {
		if !s.limits.Blocking {
			s.drop(b)
			return len(b), nil
		}
		s.wait()
	}
	for {
		n, err := s.f.Write(b)
		if err == nil {
			break
		}
		if n > 0 { // a record that is torn would tear the next one
			err = errors.Join(err, s.f.Truncate(s.size))
		}
		if !s.limits.Blocking || s.overrun.Load() || !errors.Is(err, syscall.ENOSPC) {
			s.drop(b)
			return 0, err
		}
		s.wait()
	}
	s.size += int64(len(b))
	s.trim()
	return len(b), nil
}

// wait lets go of the lock for a moment.
func (s *sink) wait() {
	s.mu.Unlock()
	time.Sleep(roomLook)
	s.mu.Lock()
}

func (s *sink) room(n int) bool {
	if s.limits.Sent == "" || s.limits.Backlog == 0 || s.overrun.Load() || s.size-s.sent+int64(n) <= s.limits.Backlog {
		return true
	}
	s.look()
	return s.size-s.sent+int64(n) <= s.limits.Backlog || s.size == s.sent // whatever is longer than all the room
}

// look reads how far lines have been taken.
func (s *sink) look() {
	var at struct{ Offset int64 }
	if b, err := os.ReadFile(s.limits.Sent); err == nil && json.Unmarshal(b, &at) == nil {
		s.sent = max(s.sent, at.Offset)
	}
}

// trim gives the blocks of the oldest records back, without moving any others: the file has a hole there, which Read passes over. It
// looks when a good part more than what is kept has come.
func (s *sink) trim() {
	if s.limits.Keep < 0 || s.size-s.trimmed < s.limits.Keep+s.limits.Keep/4+16*trimBlock {
		return
	}
	until := s.size - s.limits.Keep
	if s.limits.Sent != "" {
		s.look()
		until = min(until, s.sent)
	}
	if until = until / trimBlock * trimBlock; until <= s.trimmed {
		return
	}
	raw, err := s.f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		err = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, until)
	})
	if err == nil || errors.Is(err, unix.EOPNOTSUPP) { // a file system without holes keeps all
		s.trimmed = until
	}
}

// drop counts records that are lost.
func (s *sink) drop(b []byte) {
	s.losing.Lock()
	defer s.losing.Unlock()
	s.dropped.add(loss{Lines: int64(bytes.Count(b, []byte{'\n'})), Bytes: int64(len(b))})
}

// lost is what was, since the last call.
func (s *sink) lost() loss {
	s.losing.Lock()
	defer s.losing.Unlock()
	l := s.dropped
	s.dropped = loss{}
	return l
}

// dataAt returns where there is something to read at offset or behind it: a log that was trimmed begins with a hole.
func dataAt(f *os.File, offset int64) int64 {
	at, err := f.Seek(offset, unix.SEEK_DATA)
	if err != nil || at < offset {
		return offset
	}
	return at
}
