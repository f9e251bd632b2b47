package logstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/roadstead/roadstead/logstore"
)

// A mark is there after the store was opened again; one that is torn is none.
func TestMarks(t *testing.T) {
	cfg := logstore.Config{Dir: t.TempDir(), Sync: noSync}
	s, g := open(t, cfg)
	if _, ok := g.Mark("a"); ok {
		t.Error("a mark that nobody set")
	}
	must(t, g.SetMark("a", 1<<40))
	must(t, g.SetMark("b", 7))
	must(t, s.Close())
	s, g = open(t, cfg)
	if n, ok := g.Mark("a"); !ok || n != 1<<40 {
		t.Errorf("got %d %v", n, ok)
	}
	paths, err := filepath.Glob(filepath.Join(cfg.Dir, "*", "a.mark"))
	if must(t, err); len(paths) != 1 {
		t.Fatal(paths)
	}
	must(t, s.Close())
	must(t, os.WriteFile(paths[0], []byte("torn"), 0o600))
	s, g = open(t, cfg)
	defer s.Close()
	if _, ok := g.Mark("a"); ok {
		t.Error("a torn mark counts")
	}
	must(t, g.Unmark("b"))
	must(t, g.Unmark("b"))
	if _, ok := g.Mark("b"); ok {
		t.Error("a mark that was removed is there")
	}
}
