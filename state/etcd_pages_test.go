package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// What has been given back is there when it is wanted.
func TestPageOut(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	db := lead(t, openEtcd(t, state.EtcdConfig{Dir: dir, Ballast: smallBallast}))
	put := func(i int, text string) {
		t.Helper()
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			tx.Clusters.Put(&model.Cluster{Scope: scope, Name: fmt.Sprint("c", i), Status: text})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 32 {
		put(i, strings.Repeat("x", 256<<10))
	}
	file := filepath.Join(dir, "etcd", "member", "snap", "db")
	before := inMemory(t, file)
	eventually(t, "the database is not in memory", func() bool { // what has just been written is not on the disk at once
		if err := state.PageOut(file); err != nil {
			t.Fatal(err)
		}
		return inMemory(t, file) < before/2
	})
	put(5, "y")
	put(40, "z")
	if n := db.Snapshot().Clusters.Len(); n != 33 {
		t.Errorf("%d rows", n)
	}
}

// inMemory is how many KiB of the file's mappings are in memory.
func inMemory(t *testing.T, file string) (kib int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), " "+file+"\n")
	for ; found; _, rest, found = strings.Cut(rest, " "+file+"\n") {
		_, rss, _ := strings.Cut(rest, "\nRss:")
		n := 0
		if _, err := fmt.Sscan(rss, &n); err != nil {
			t.Fatal(err)
		}
		kib += n
	}
	return kib
}
