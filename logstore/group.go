package logstore

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Group is a group of streams.
type Group struct {
	dir    string
	id     string
	codec  *codec
	sync   func(*os.File) error
	sealAt int64
	log    *slog.Logger
	unwrap func(wrapped []byte) ([]byte, error)
	base   uint64 // what is counted begins behind it, 0 if the store has no epoch; guarded by commit and mu once the group is open
	leads  bool   // the epoch is this member's; as base

	// commit is held by who writes; who waits for it has often been written by the time that it gets it.
	commit sync.Mutex

	mu      sync.RWMutex // what is below; taken after commit
	roll    *roll
	journal *journal
	files   []*sealed // by number
	pending *flush
	seq     uint64 // of the next event
	arrived uint64 // up to it everything is on the disk
	changed chan struct{}
	closed  error
	marked  map[string]uint64
}

// A flush is what is written together.
type flush struct {
	batches []batch
	done    bool // guarded by Group.commit, as err
	err     error
}

// Usage is what a group holds.
type Usage struct {
	Events  int64
	Bytes   int64 // of messages
	Disk    int64 // of files
	Streams int
}

const (
	rollName   = "streams"
	journalExt = ".journal"
	sealedExt  = ".sealed"
)

func (g *Group) path(number uint64, ext string) string {
	return filepath.Join(g.dir, fmt.Sprintf("%016d%s", number, ext))
}

// open reads what the folder has.
func (g *Group) open() error {
	if err := os.MkdirAll(g.dir, 0o750); err != nil {
		return err
	}
	var err error
	if g.roll, err = openRoll(filepath.Join(g.dir, rollName), g.sync); err != nil {
		return fmt.Errorf("open streams of log group %s: %w", g.id, err)
	}
	g.changed, g.pending, g.seq, g.marked = make(chan struct{}), &flush{}, 1, map[string]uint64{}
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return err
	}
	journals := []uint64{1}
	for _, e := range entries {
		number, ext := fileNumber(e.Name())
		switch ext {
		case ".tmp":
			os.Remove(filepath.Join(g.dir, e.Name())) // of a seal that a crash ended
		case sealedExt:
			if err := g.load(number); err != nil {
				return err
			}
			journals[0] = max(journals[0], number+1)
		case journalExt:
			journals = append(journals, number)
		case markExt:
			g.loadMark(e.Name())
		}
	}
	if err := g.openJournals(journals); err != nil {
		return err
	}
	return syncDir(g.dir)
}

func fileNumber(name string) (number uint64, ext string) {
	ext = filepath.Ext(name)
	if _, err := fmt.Sscanf(strings.TrimSuffix(name, ext), "%d", &number); err != nil && ext != ".tmp" && ext != markExt {
		return 0, ""
	}
	return number, ext
}

// load takes a sealed file. One that is damaged, which no crash of ours leaves behind, is set aside: what others hold is served.
func (g *Group) load(number uint64) error {
	path := g.path(number, sealedExt)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	ix, size, err := g.codec.readIndex(f)
	if err != nil {
		g.log.Error("a file of log events is damaged and is set aside", "file", path, "err", err)
		return os.Rename(path, path+".damaged")
	}
	g.take(ix.file(number, size), ix.streams)
	return nil
}

func (g *Group) take(f *sealed, streams []streamSummary) {
	g.files = append(g.files, f)
	g.seq = max(g.seq, f.lastSeq+1)
	for _, s := range streams {
		if st := g.roll.byID[s.stream]; st != nil {
			st.merge(s.summary)
		}
	}
}

// openJournals opens the journal, or makes the first of the numbers. Those of files that are sealed are removed, and what a seal
// made that did not come to its end.
func (g *Group) openJournals(numbers []uint64) error {
	first := numbers[0]
	live := slices.DeleteFunc(numbers[1:], func(n uint64) bool {
		if n < first {
			os.Remove(g.path(n, journalExt))
		}
		return n < first
	})
	if len(live) > 0 {
		first = slices.Min(live)
	}
	for _, n := range live {
		if n > first { // is not written before the one before it is sealed: it is empty
			os.Remove(g.path(n, journalExt))
		}
	}
	j, cut, err := openJournal(g.path(first, journalExt), first)
	if err != nil {
		return fmt.Errorf("open log group %s: %w", g.id, err)
	}
	if cut > 0 {
		g.log.Warn("cut a torn end off a journal of log events", "group", g.id, "bytes", cut)
	}
	g.journal, g.seq = j, max(g.seq, j.lastSeq+1)
	if g.arrived = g.seq - 1; j.size == 0 && g.arrived > 0 {
		if err := j.begin(g.arrived, g.sync); err != nil {
			return fmt.Errorf("open log group %s: %w", g.id, err)
		}
	}
	g.seq = max(g.seq, g.roll.lastSeq()+1, g.base+1) // the roll may know of what has not arrived
	for _, f := range j.frames {
		if st := g.roll.byID[f.stream]; st != nil {
			st.merge(f.summary)
		}
	}
	return nil
}

// close lets go of the files. Calls after it get why.
func (g *Group) close(why error) {
	g.commit.Lock()
	defer g.commit.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		return
	}
	g.closed = why
	close(g.changed)
	g.roll.file.Close()
	g.journal.file.Close()
}

// Append adds events to a stream, in their order. When it returns they are on the disk. Now is when they came, in epoch
// milliseconds.
func (g *Group) Append(name string, events []Event, now int64) error {
	return g.AppendLocked(name, events, now, nil)
}

// AppendLocked is Append of events that are encrypted with a data key, or with none if it is nil.
func (g *Group) AppendLocked(name string, events []Event, now int64, key *Key) error {
	if len(events) == 0 {
		return nil
	}
	f, err := g.enqueue(name, events, now, key)
	if err != nil {
		return err
	}
	g.commit.Lock()
	defer g.commit.Unlock()
	if !f.done {
		f.err = g.write(f)
		f.done = true
	}
	return f.err
}

// refusal says why this member writes nothing of its own. The caller holds mu.
func (g *Group) refusal() error {
	if g.closed == nil && g.base > 0 && !g.leads {
		return ErrEpoch
	}
	return g.closed
}

func (g *Group) enqueue(name string, events []Event, now int64, key *Key) (*flush, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.refusal(); err != nil {
		return nil, err
	}
	s := g.roll.byName[name]
	if s == nil {
		return nil, ErrNoStream
	}
	b := batch{name: name, stream: s.number, ingested: now, before: g.seq - 1, events: slices.Clone(events), key: key}
	for i := range b.events {
		b.events[i].Seq, b.events[i].Ingested, b.events[i].stream = g.seq, now, s.number
		g.seq++
	}
	g.pending.batches = append(g.pending.batches, b)
	return g.pending, nil
}

// Changed is closed when something is appended, or the group is removed.
func (g *Group) Changed() <-chan struct{} {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.changed
}

// Stream returns a stream.
func (g *Group) Stream(name string) (Stream, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if s := g.roll.byName[name]; s != nil {
		return s.show(), true
	}
	return Stream{}, false
}

// Streams returns all streams, by name.
func (g *Group) Streams() []Stream {
	g.mu.RLock()
	out := make([]Stream, 0, len(g.roll.byName))
	for _, s := range g.roll.byName {
		out = append(out, s.show())
	}
	g.mu.RUnlock()
	slices.SortFunc(out, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Usage adds up what the group holds: of its living streams, but all of its files.
func (g *Group) Usage() Usage {
	g.mu.RLock()
	defer g.mu.RUnlock()
	u := Usage{Streams: len(g.roll.byID), Disk: g.journal.size + g.roll.size}
	for _, s := range g.roll.byID {
		u.Events += s.count
		u.Bytes += s.bytes
	}
	for _, f := range g.files {
		u.Disk += f.size
	}
	return u
}
