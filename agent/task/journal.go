package task

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// The journal is the agent's memory on disk: one append-only file, one line an entry, the newest word on each member
// of a task wins. One write and one fsync make any number of entries durable, so a payload of 50 tasks costs as much
// as one task, and entries that wait for the disk together share its next turn. Rejected: one file per task (two
// fsyncs each, 50 tasks = 100 turns of the disk). When the file has grown well beyond what lives in it, it is
// rewritten beside and renamed into place.
//
// A line is the CRC-32 of the JSON in 8 hex digits, a space, the JSON, a line feed. A crash leaves at most one broken
// line, the last: it was never promised to anybody and is dropped. A broken line with good ones behind it is an error.
type journal struct {
	dir   string
	fault func(op string) error // tests: fails or kills before "write", "sync", "rename", "truncate"

	mu      sync.Mutex
	file    *os.File
	good    int64 // length of what is durable
	live    int64 // of that, what a rewrite would keep; an estimate
	broken  bool  // the file's tail is not known: rewrite before the next write
	closed  bool
	records map[string]record
	queue   []*write
	leading bool // some caller is at the disk for all that queue
}

// entry is one line: what is new about one task.
type entry struct {
	ID    string    `json:"id"`
	Task  *acs.Task `json:"task,omitempty"`
	Stop  bool      `json:"stop,omitempty"`
	State *State    `json:"state,omitempty"`
	// Gone: the task is over and cleaned up; only its id is remembered until then, against late repeats.
	Gone time.Time `json:"gone,omitzero"`
}

// record is all that the journal holds of one task, its members as on disk.
type record struct {
	ID    string          `json:"id"`
	Task  json.RawMessage `json:"task,omitempty"`
	Stop  bool            `json:"stop,omitempty"`
	State json.RawMessage `json:"state,omitempty"`
	Gone  time.Time       `json:"gone,omitzero"`
}

// write is one caller's entries, as records and as lines.
type write struct {
	records []record
	lines   []byte
	done    chan error
}

// errClosed: the engine has ended.
var errClosed = errors.New("the agent is shutting down")

// compactAt is the size below which the file is never rewritten while running.
const compactAt = 1 << 20

// openJournal reads the journal in dir, making it if need be, and rewrites it without what is forgotten.
func openJournal(dir string, fault func(string) error) (*journal, error) {
	if fault == nil {
		fault = func(string) error { return nil }
	}
	j := &journal{dir: dir, fault: fault, records: map[string]record{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(j.path())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := j.load(data); err != nil {
		return nil, fmt.Errorf("read %s: %w", j.path(), err)
	}
	err = j.rewrite()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		j.broken = true // put tries again: until there is space the node goes on with what it has
	} else if err != nil {
		return nil, fmt.Errorf("write %s: %w", j.path(), err)
	}
	return j, nil
}

func (j *journal) path() string { return filepath.Join(j.dir, "journal") }

func (j *journal) load(data []byte) error {
	for n := 1; len(data) > 0; n++ {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		r, err := parseLine(line)
		if err != nil || !whole {
			if len(rest) == 0 {
				return nil // torn by a crash: never promised
			}
			return fmt.Errorf("line %d: %w", n, err)
		}
		j.merge(r)
		data = rest
	}
	return nil
}

func parseLine(line []byte) (record, error) {
	var r record
	if len(line) < 10 || line[8] != ' ' {
		return r, io.ErrUnexpectedEOF
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil {
		return r, err
	}
	if crc32.ChecksumIEEE(line[9:]) != uint32(sum) {
		return r, errors.New("checksum does not match")
	}
	err = json.Unmarshal(line[9:], &r)
	return r, err
}

func appendLine(to []byte, r record) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return to, err
	}
	to = fmt.Appendf(to, "%08x ", crc32.ChecksumIEEE(text))
	return append(append(to, text...), '\n'), nil
}

// merge lays a newer record over an older one. A task that is gone only comes back as a new assignment: a stop that
// was on its way while it went changes nothing.
func (j *journal) merge(r record) {
	old, ok := j.records[r.ID]
	if !old.Gone.IsZero() && r.Task == nil && r.Gone.IsZero() {
		return
	}
	if ok && old.Gone.IsZero() && r.Gone.IsZero() {
		if r.Task == nil {
			r.Task = old.Task
		}
		if r.State == nil {
			r.State = old.State
		}
		r.Stop = r.Stop || old.Stop
	}
	j.live += int64(len(r.Task) + len(r.State) - len(old.Task) - len(old.State))
	if !ok {
		j.live += 64
	}
	j.records[r.ID] = r
}

// put makes the entries durable, all or none, and returns when they are. If it fails, nothing of them will be found
// after a restart, unless ctx ended first: then they may or may not.
func (j *journal) put(ctx context.Context, entries ...entry) error {
	w := &write{done: make(chan error, 1)}
	for i := range entries {
		r, err := entries[i].record()
		if err != nil {
			return err
		}
		if w.lines, err = appendLine(w.lines, r); err != nil {
			return err
		}
		w.records = append(w.records, r)
	}
	j.mu.Lock()
	j.queue = append(j.queue, w)
	if !j.leading {
		j.lead()
	}
	j.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lead takes everything that queues to the disk until nobody queues. Called with mu held, which it lets go while it
// waits for the disk.
func (j *journal) lead() {
	j.leading = true
	for len(j.queue) > 0 {
		batch := j.queue
		j.queue = nil
		if j.closed {
			answer(batch, errClosed)
			continue
		}
		j.mu.Unlock()
		err := j.commit(batch)
		j.mu.Lock()
		if err == nil {
			for _, w := range batch {
				for _, r := range w.records {
					j.merge(r)
				}
			}
			if j.good > compactAt && j.good > 4*j.live {
				j.broken = true // the next turn rewrites
			}
		}
		answer(batch, err)
	}
	j.leading = false
}

func answer(batch []*write, err error) {
	for _, w := range batch {
		w.done <- err
	}
}

// commit appends the batch and waits for the disk. Only the leader calls it, so file, good and broken are its own.
func (j *journal) commit(batch []*write) error {
	if j.broken {
		if err := j.rewrite(); err != nil {
			return fmt.Errorf("rewrite %s: %w", j.path(), err)
		}
	}
	lines := batch[0].lines
	for _, w := range batch[1:] {
		lines = append(lines, w.lines...)
	}
	err := j.fault("write")
	if err != nil {
		lines = lines[:len(lines)/2] // what a full disk or a power cut leaves
	}
	if _, werr := j.file.Write(lines); err == nil {
		err = werr
	}
	if err == nil {
		if err = j.fault("sync"); err == nil {
			err = j.file.Sync()
		}
		if err != nil {
			j.broken = true // after a failed sync nobody knows what is on the disk
		}
	}
	if err == nil {
		j.good += int64(len(lines))
		return j.fault("synced")
	}
	if terr := j.undo(); terr != nil {
		j.broken = true
	}
	return fmt.Errorf("append to %s: %w", j.path(), err)
}

// undo cuts a half-written batch off.
func (j *journal) undo() error {
	if err := j.fault("truncate"); err != nil {
		return err
	}
	return j.file.Truncate(j.good)
}

// rewrite writes the live records to a new file and puts it in place of the old one. Called by openJournal and by the
// leader: records change only there.
func (j *journal) rewrite() error {
	now := time.Now()
	maps.DeleteFunc(j.records, func(_ string, r record) bool { return !r.Gone.IsZero() && now.After(r.Gone) })
	ids := slices.Sorted(maps.Keys(j.records))
	var lines []byte
	var err error
	for _, id := range ids {
		if lines, err = appendLine(lines, j.records[id]); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(j.path()+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(lines)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.fault("rename")
	}
	if err == nil {
		err = os.Rename(f.Name(), j.path())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if j.file != nil {
		_ = j.file.Close() // replaced; it holds nothing that the new one does not
	}
	j.file, j.good, j.live = f, int64(len(lines)), int64(len(lines))
	err = syncDir(j.dir)
	j.broken = err != nil
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// close makes every later put fail. The caller sees to it that none is at the disk.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	if j.file == nil { // there was never space for it
		return nil
	}
	return j.file.Close()
}

func (e *entry) record() (record, error) {
	r := record{ID: e.ID, Stop: e.Stop, Gone: e.Gone}
	var err error
	if e.Task != nil {
		if r.Task, err = json.Marshal(forget(e.Task)); err != nil {
			return r, err
		}
	}
	if e.State != nil {
		r.State, err = json.Marshal(e.State)
	}
	return r, err
}

// forget leaves the secrets of credentials out: they live in memory only, and the control plane sends them again
// (AGENT-PROTOCOL §1.2). Their ids stay, because containers are told where to ask for them.
func forget(t *acs.Task) *acs.Task {
	c := *t
	for _, creds := range []**acs.RoleCreds{&c.RoleCredentials, &c.ExecutionRole} {
		if *creds != nil {
			*creds = &acs.RoleCreds{CredentialsID: (*creds).CredentialsID, RoleArn: (*creds).RoleArn}
		}
	}
	return &c
}
