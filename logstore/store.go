package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// DefaultSegment is how many bytes a journal has when it is sealed. It bounds what a group takes of memory: sealing sorts as
// much, and a read that merges all streams decompresses about as much.
const DefaultSegment = 16 << 20

// Config says where a store is. Dir is required.
type Config struct {
	Dir     string
	Segment int64                // bytes of a journal; 0 means DefaultSegment
	Sync    func(*os.File) error // nil means fsync
	Log     *slog.Logger         // nil means slog.Default()
	// Open opens what AppendLocked's Key was wrapped in, whenever somebody reads what was encrypted with it; its errors are his. Those that
	// Gone has made let followers and copies go on without what it encrypts.
	// nil means that nothing is encrypted.
	Open func(wrapped []byte) ([]byte, error)
}

// Store is all groups under one folder. A group is opened when it is first asked for.
type Store struct {
	cfg   Config
	codec *codec

	mu     sync.Mutex
	groups map[string]*Group
	epoch  uint64 // that was promised last, 0 for none
	leads  bool   // it is that of this store's own member
	closed bool
}

// Open makes the folder if it is missing; it reads no group.
func Open(cfg Config) (*Store, error) {
	cfg.Segment = cmp.Or(cfg.Segment, DefaultSegment)
	if cfg.Sync == nil {
		cfg.Sync = (*os.File).Sync
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the folder of logs: %w", err)
	}
	c, err := newCodec()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, codec: c, groups: map[string]*Group{}}
	s.epoch, _ = readMark(s.epochFile())
	return s, nil
}

// Close lets go of all files. Nothing has to be written: what was acknowledged is on the disk.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for _, g := range s.groups {
		g.close(os.ErrClosed)
	}
	s.codec.dec.Close()
	return s.codec.enc.Close()
}

// Group returns the group with the id, which is a name of a folder. It is made if there is none.
func (s *Store) Group(id string) (*Group, error) {
	if id == "" || id != filepath.Base(id) || id[0] == '.' {
		return nil, fmt.Errorf("%q is no id of a log group", id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, os.ErrClosed
	}
	if g := s.groups[id]; g != nil {
		return g, nil
	}
	g := &Group{
		dir: filepath.Join(s.cfg.Dir, id), id: id, codec: s.codec, sync: s.cfg.Sync, sealAt: s.cfg.Segment, log: s.cfg.Log, unwrap: s.cfg.Open,
		base: s.epoch << epochBits, leads: s.leads,
	}
	if err := g.open(); err != nil {
		return nil, err
	}
	s.groups[id] = g
	return g, syncDir(s.cfg.Dir)
}

// Has says whether a group has a folder.
func (s *Store) Has(id string) bool {
	_, err := os.Stat(filepath.Join(s.cfg.Dir, id))
	return err == nil
}

// Groups are the ids of all groups that have a folder.
func (s *Store) Groups() ([]string, error) {
	entries, err := os.ReadDir(s.cfg.Dir)
	var ids []string
	for _, e := range entries {
		if e.IsDir() {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}

// Remove deletes a group and all that it holds.
func (s *Store) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[id]; g != nil {
		g.close(ErrRemoved)
		delete(s.groups, id)
	}
	err := os.RemoveAll(filepath.Join(s.cfg.Dir, id))
	return errors.Join(err, syncDir(s.cfg.Dir))
}
