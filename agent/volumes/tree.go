package volumes

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/roadstead/roadstead/acs"
)

// A tree is a directory whose files change together, as Kubernetes does it [D]: FILE is a link to ..data/FILE, and ..data one to
// the directory of a generation, which one rename replaces by the next.
type tree string

const (
	currentName = "..data"
	nextName    = "..data.new"
)

// generation is the name of the directory that is current, "" if there is none.
func (t tree) generation() string {
	name, err := os.Readlink(filepath.Join(string(t), currentName))
	if err != nil {
		return ""
	}
	return name
}

// holds says whether the tree has these files, and no others.
func (t tree) holds(values map[string][]byte) bool {
	now := filepath.Join(string(t), currentName)
	have, err := os.ReadDir(now)
	if err != nil || len(have) != len(values) {
		return false
	}
	for name, want := range values {
		b, err := os.ReadFile(filepath.Join(now, name))
		if err != nil || !bytes.Equal(b, want) {
			return false
		}
		if _, err := os.Stat(filepath.Join(string(t), name)); err != nil { // a kill came before its link
			return false
		}
	}
	return true
}

// write makes the files the tree's. Who reads at any time sees the old ones or the new ones.
func (t tree) write(values map[string][]byte, about *acs.FileVolume) error {
	old := t.generation()
	n, _ := strconv.Atoi(trimDots(old)) // 0 of ""
	fresh := ".." + strconv.Itoa(n+1)
	dir := filepath.Join(string(t), fresh)
	if err := os.RemoveAll(dir); err != nil { // of a write that was cut short
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for name, b := range values {
		if err := writeFile(filepath.Join(dir, name), b, about); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := t.link(nextName, fresh); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(string(t), nextName), filepath.Join(string(t), currentName)); err != nil {
		return err
	}
	return t.tidy(values, fresh)
}

func trimDots(generation string) string { return generation[min(2, len(generation)):] }

func writeFile(path string, b []byte, about *acs.FileVolume) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Chown(int(about.UID), int(about.GID)), f.Chmod(fs.FileMode(about.Mode)), f.Close())
}

// link makes a link, in place of another one.
func (t tree) link(name, to string) error {
	at := filepath.Join(string(t), name)
	if have, err := os.Readlink(at); err == nil && have == to {
		return nil
	}
	if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(to, at)
}

// tidy makes the links of the current files, and removes what is not current.
func (t tree) tidy(values map[string][]byte, current string) error {
	for name := range values {
		if err := t.link(name, filepath.Join(currentName, name)); err != nil {
			return err
		}
	}
	have, err := os.ReadDir(string(t))
	if err != nil {
		return err
	}
	for _, e := range have {
		if _, wanted := values[e.Name()]; wanted || e.Name() == currentName || e.Name() == current {
			continue
		}
		if err := os.RemoveAll(filepath.Join(string(t), e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// empty removes all files at once: containers that have stopped, and are not removed yet, still hold the memory.
func (t tree) empty() error {
	have, err := os.ReadDir(string(t))
	if err != nil {
		return err
	}
	for _, e := range have {
		if err := os.RemoveAll(filepath.Join(string(t), e.Name())); err != nil {
			return err
		}
	}
	return nil
}
