package logstore

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
)

const markExt = ".mark"

// Mark is the Seq that was last kept under the name; false if there is none, or none that can be read.
func (g *Group) Mark(name string) (uint64, bool) {
	b, err := os.ReadFile(filepath.Join(g.dir, name+markExt))
	if err != nil || len(b) != 12 || binary.LittleEndian.Uint32(b[8:]) != castagnoli(b[:8]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// SetMark keeps a Seq under a name, up to which a follower is done; it is on the disk when SetMark returns. Names are names of files, and
// each has one writer.
func (g *Group) SetMark(name string, seq uint64) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed != nil {
		return g.closed
	}
	b := binary.LittleEndian.AppendUint64(nil, seq)
	b = binary.LittleEndian.AppendUint32(b, castagnoli(b))
	path := filepath.Join(g.dir, name+markExt)
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := g.sync(f); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// Unmark forgets a name.
func (g *Group) Unmark(name string) error {
	err := os.Remove(filepath.Join(g.dir, name+markExt))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
