package objectstore

import (
	"context"
	"crypto/md5" //nolint:gosec // the ETag of S3
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

var (
	// ErrTooLarge says that there is more than may be put.
	ErrTooLarge = errors.New("the content is too large")
	// ErrMissing says that a content is nowhere.
	ErrMissing = errors.New("the content is not stored")
)

// Config says where a store is. Dir is required.
type Config struct {
	Dir string
	// Hold has other members keep contents, as many as are needed for a majority; nil if there are none.
	Hold func(ctx context.Context, digests []string) error
	// Fetch reads a content from another member; nil if there is none.
	Fetch func(ctx context.Context, digest string) (io.ReadCloser, error)
	Sync  func(*os.File) error // nil means fsync
}

// Store is the contents under one folder. It is safe for concurrent use.
type Store struct {
	cfg Config

	mu sync.Mutex // between making a file's name and sweeping it
}

// Content is what was put.
type Content struct {
	Digest string // hex, of SHA-256
	MD5    [md5.Size]byte
	Size   int64
}

// unfinished is the folder of files that have no name yet.
const unfinished = "tmp"

// Open makes the folder if it is missing, and removes what was not finished.
func Open(cfg Config) (*Store, error) {
	if cfg.Sync == nil {
		cfg.Sync = (*os.File).Sync
	}
	tmp := filepath.Join(cfg.Dir, unfinished)
	if err := os.RemoveAll(tmp); err != nil {
		return nil, fmt.Errorf("clear the folder of objects: %w", err)
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of objects: %w", err)
	}
	return &Store{cfg: cfg}, nil
}

// valid says whether a digest is one: it becomes a name of a file.
func valid(digest string) bool {
	if len(digest) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(digest) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (s *Store) path(digest string) string { return filepath.Join(s.cfg.Dir, digest[:2], digest) }

// Put stores at most limit bytes. Errors of r come back as they are, and leave nothing behind.
func (s *Store) Put(ctx context.Context, r io.Reader, limit int64) (Content, error) {
	c, err := s.write(r, limit, "")
	if err == nil && s.cfg.Hold != nil {
		if err = s.cfg.Hold(ctx, []string{c.Digest}); err != nil {
			err = fmt.Errorf("have other members hold an object: %w", err)
		}
	}
	return c, err
}

// write makes a file of what r has, which must have the digest unless it is "".
func (s *Store) write(r io.Reader, limit int64, digest string) (c Content, err error) {
	f, err := os.CreateTemp(filepath.Join(s.cfg.Dir, unfinished), "")
	if err != nil {
		return c, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	sum, sumMD5 := sha256.New(), md5.New() //nolint:gosec // the ETag of S3
	if c.Size, err = io.Copy(io.MultiWriter(f, sum, sumMD5), io.LimitReader(r, limit+1)); err != nil {
		return c, err
	}
	if c.Size > limit {
		return c, ErrTooLarge
	}
	c.Digest = hex.EncodeToString(sum.Sum(nil))
	sumMD5.Sum(c.MD5[:0])
	if digest != "" && digest != c.Digest {
		return c, fmt.Errorf("what came for the content %s is %s", digest, c.Digest)
	}
	if err := s.cfg.Sync(f); err != nil {
		return c, err
	}
	return c, s.name(f.Name(), c.Digest)
}

// name gives a finished file its name. One that has it already is replaced: its age protects it from being swept.
func (s *Store) name(file, digest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.path(digest)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Rename(file, to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(s.cfg.Dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Open returns a content, from another member if it is not here. It is ErrMissing if it is nowhere.
func (s *Store) Open(ctx context.Context, digest string) (*os.File, error) {
	f, err := s.Local(digest)
	if !errors.Is(err, ErrMissing) || s.cfg.Fetch == nil {
		return f, err
	}
	if err := s.fetch(ctx, digest); err != nil {
		return nil, err
	}
	return s.Local(digest)
}

// Local returns a content if it is here, and ErrMissing if not.
func (s *Store) Local(digest string) (*os.File, error) {
	if !valid(digest) {
		return nil, fmt.Errorf("%q is no digest", digest)
	}
	f, err := os.Open(s.path(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, digest)
	}
	return f, err
}

func (s *Store) fetch(ctx context.Context, digest string) error {
	r, err := s.cfg.Fetch(ctx, digest)
	if err != nil {
		return fmt.Errorf("fetch a content of an object: %w", err)
	}
	defer r.Close()
	_, err = s.write(r, 1<<62, digest)
	return err
}

// Keep makes sure that contents are here: those that are missing are fetched, and none is swept soon.
func (s *Store) Keep(ctx context.Context, digests []string, now time.Time) error {
	for _, d := range digests {
		if !valid(d) {
			return fmt.Errorf("%q is no digest", d)
		}
		if s.touch(d, now) == nil {
			continue
		}
		if s.cfg.Fetch == nil {
			return fmt.Errorf("%w: %s", ErrMissing, d)
		}
		if err := s.fetch(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) touch(digest string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return os.Chtimes(s.path(digest), time.Time{}, now)
}

// Sweep removes the contents that are not wanted and were stored before a moment: so long has whoever puts one to write a row that
// names it. It returns how many there were.
func (s *Store) Sweep(ctx context.Context, wanted func(digest string) bool, before time.Time) (removed int, err error) {
	err = filepath.WalkDir(s.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if d.IsDir() && d.Name() == unfinished {
			return fs.SkipDir
		}
		if d.IsDir() || !valid(d.Name()) || wanted(d.Name()) {
			return nil
		}
		gone, err := s.remove(path, before)
		if gone {
			removed++
		}
		return err
	})
	return removed, err
}

func (s *Store) remove(path string, before time.Time) (gone bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil || !info.ModTime().Before(before) {
		return false, err
	}
	return true, os.Remove(path)
}
