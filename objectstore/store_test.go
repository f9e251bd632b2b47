package objectstore_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/roadstead/roadstead/objectstore"
)

func open(t *testing.T, cfg objectstore.Config) *objectstore.Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := objectstore.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, s *objectstore.Store, digest string) string {
	t.Helper()
	f, err := s.Open(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func put(t *testing.T, s *objectstore.Store, text string) objectstore.Content {
	t.Helper()
	c, err := s.Put(t.Context(), strings.NewReader(text), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files are the paths of all files under a folder.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// What was put is read, also by the next process, and once however often it was put.
func TestPut(t *testing.T) {
	dir := t.TempDir()
	s := open(t, objectstore.Config{Dir: dir})
	c := put(t, s, "text")
	if c.Size != 4 || c.MD5 != md5.Sum([]byte("text")) || c != put(t, s, "text") {
		t.Errorf("got %+v", c)
	}
	put(t, s, "")
	if err := os.WriteFile(filepath.Join(dir, "tmp", "half"), []byte("te"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s = open(t, objectstore.Config{Dir: dir}); read(t, s, c.Digest) != "text" {
		t.Error("the next process does not read it")
	}
	if all := files(t, dir); len(all) != 2 {
		t.Errorf("there are %v", all)
	}
}

// A body that is refused, too long, or cannot be made durable leaves nothing, and its error is the caller's.
func TestPutFails(t *testing.T) {
	broken, dir := errors.New("broken"), t.TempDir()
	s := open(t, objectstore.Config{Dir: dir})
	if _, err := s.Put(t.Context(), io.MultiReader(strings.NewReader("te"), iotest.ErrReader(broken)), 9); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Put(t.Context(), strings.NewReader("12345"), 4); !errors.Is(err, objectstore.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	s = open(t, objectstore.Config{Dir: dir, Sync: func(*os.File) error { return broken }})
	if _, err := s.Put(t.Context(), strings.NewReader("1234"), 4); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if all := files(t, dir); len(all) != 0 {
		t.Errorf("there are %v", all)
	}
	for _, name := range []string{"", "../../etc/passwd", strings.Repeat("../", 21) + "x", strings.Repeat("A", 64)} {
		if f, err := s.Open(t.Context(), name); err == nil {
			f.Close()
			t.Errorf("%q is opened", name)
		}
		if s.Keep(t.Context(), []string{name}, time.Now()) == nil {
			t.Errorf("%q is kept", name)
		}
	}
}

// Members get contents from each other; one that is not what it should be is not taken.
func TestMembers(t *testing.T) {
	var first *objectstore.Store
	lie := false
	second := open(t, objectstore.Config{Fetch: func(_ context.Context, digest string) (io.ReadCloser, error) {
		if lie {
			return io.NopCloser(bytes.NewBufferString("a lie")), nil
		}
		return first.Local(digest)
	}})
	first = open(t, objectstore.Config{Hold: func(ctx context.Context, digests []string) error { return second.Keep(ctx, digests, time.Now()) }})
	c := put(t, first, "text")
	if f, err := second.Local(c.Digest); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	lie = true
	if _, err := first.Put(t.Context(), strings.NewReader("more"), 9); err == nil {
		t.Error("what no other member holds is acknowledged")
	}
	lie = false
	first = open(t, objectstore.Config{})
	if _, err := second.Open(t.Context(), strings.Repeat("a", 64)); !errors.Is(err, objectstore.ErrMissing) {
		t.Errorf("got %v", err)
	}
}

// Only what nobody wants, and is old, is swept.
func TestSweep(t *testing.T) {
	s := open(t, objectstore.Config{})
	wanted, kept, old := put(t, s, "wanted"), put(t, s, "kept"), put(t, s, "old")
	later := time.Now().Add(time.Hour)
	want := func(d string) bool { return d == wanted.Digest }
	if n, err := s.Sweep(t.Context(), want, time.Now().Add(-time.Minute)); n != 0 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if err := s.Keep(t.Context(), []string{kept.Digest}, later); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), want, later); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := s.Open(t.Context(), old.Digest); !errors.Is(err, objectstore.ErrMissing) {
		t.Errorf("got %v", err)
	}
	if read(t, s, wanted.Digest)+read(t, s, kept.Digest) != "wantedkept" {
		t.Error("others are gone")
	}
}
