package logstore

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const markExt = ".mark"

// Mark is the Seq that was last kept under the name; false if there is none, or none that could be read.
func (g *Group) Mark(name string) (uint64, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	seq, ok := g.marked[name]
	return seq, ok
}

// marks are the names of all.
func (g *Group) marks() []string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return slices.Sorted(maps.Keys(g.marked))
}

func (g *Group) loadMark(file string) {
	if seq, ok := readMark(filepath.Join(g.dir, file)); ok {
		g.marked[strings.TrimSuffix(file, markExt)] = seq
	}
}

func readMark(path string) (uint64, bool) {
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 12 || binary.LittleEndian.Uint32(b[8:]) != castagnoli(b[:8]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// SetMark keeps a Seq under a name, up to which a follower is done; it is on the disk when SetMark returns. Names are names of files, and
// each has one writer.
func (g *Group) SetMark(name string, seq uint64) error {
	g.mu.RLock()
	err := g.closed
	if err == nil {
		err = writeMark(filepath.Join(g.dir, name+markExt), seq, g.sync)
	}
	g.mu.RUnlock()
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.marked[name] = seq
	return nil
}

func writeMark(path string, seq uint64, sync func(*os.File) error) error {
	b := binary.LittleEndian.AppendUint64(nil, seq)
	b = binary.LittleEndian.AppendUint32(b, castagnoli(b))
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := sync(f); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// Unmark forgets a name.
func (g *Group) Unmark(name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.marked, name)
	err := os.Remove(filepath.Join(g.dir, name+markExt))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
