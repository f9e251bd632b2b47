package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/roadstead/roadstead/seal"
)

func sealer(t *testing.T, keys ...byte) *seal.Sealer {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, seal.KeyBytes))
	}
	s, err := seal.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealed(t *testing.T) {
	old, now := sealer(t, 1), sealer(t, 2, 1)
	was := old.Seal([]byte("sesame"), "row")
	if bytes.Contains(was, []byte("sesame")) || bytes.Equal(was, old.Seal([]byte("sesame"), "row")) {
		t.Error("it is not sealed, or the same each time")
	}
	for _, s := range []*seal.Sealer{old, now} { // a key that was changed still opens
		if got, err := s.Open(was, "row"); err != nil || string(got) != "sesame" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := old.Open(now.Seal(nil, "row"), "row"); !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("a key from after: %v", err)
	}
	if _, err := old.Open(was, "another row"); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("in another row: %v", err)
	}
	for i := range was {
		bad := bytes.Clone(was)
		bad[i] ^= 1
		if _, err := old.Open(bad, "row"); err == nil {
			t.Errorf("byte %d changed: it opens", i)
		}
		if _, err := old.Open(was[:i], "row"); err == nil {
			t.Errorf("%d bytes of it open", i)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	if _, err := seal.ReadKeys(path); err == nil {
		t.Error("a file that is not there is read")
	}
	made, err := seal.OpenKeys(path)
	if err != nil || len(made) != 1 {
		t.Fatal(made, err)
	}
	again, err := seal.OpenKeys(path)
	if err != nil || !bytes.Equal(again[0], made[0]) {
		t.Errorf("the second time %v, %v", again, err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	newer := hex.EncodeToString(bytes.Repeat([]byte{7}, seal.KeyBytes))
	for text, want := range map[string]int{"# changed today\n" + newer + "\n\n" + hex.EncodeToString(made[0]): 2, "": 0, "# none\n": 0, "abc\n": 0, newer + "00": 0} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if keys, err := seal.ReadKeys(path); len(keys) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d keys, %v", text, len(keys), err)
		}
	}
}
