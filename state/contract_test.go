package state_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
)

func memoryStore(*testing.T) statetest.Store {
	m := state.NewMemory()
	return statetest.Store{Open: m.Member, Compact: m.Compact, Depose: m.Depose}
}

func TestMemoryKeepsTheContract(t *testing.T) { statetest.Run(t, memoryStore) }

func openEtcd(t testing.TB, cfg state.EtcdConfig) *state.Etcd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, err := state.OpenEtcd(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// tempDir is like t.TempDir with a short name, for sockets.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rs") //nolint:usetesting // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

const smallBallast = 1 << 20

func etcdStore(t *testing.T, e *state.Etcd, open func() state.Backend) statetest.Store {
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	return statetest.Store{
		Open:    open,
		Compact: func() { check(e.Compact(context.Background())) },
		Depose:  func() { check(e.Depose(context.Background())) },
	}
}

// prefixes gives every subtest rows of its own, so that one server does for all.
func prefixes() func() string {
	var n atomic.Int32
	return func() string { return fmt.Sprintf("/store%d/", n.Add(1)) }
}

func TestEmbeddedEtcdKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := openEtcd(t, state.EtcdConfig{Dir: tempDir(t), Ballast: smallBallast})
	next := prefixes()
	statetest.Run(t, func(t *testing.T) statetest.Store {
		prefix := next()
		e := server.Sibling(prefix)
		t.Cleanup(func() { _ = e.Close() })
		return etcdStore(t, e, func() state.Backend { return server.Sibling(prefix) })
	})
}

func TestExternalEtcdKeepsTheContract(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	url := "unix://" + filepath.Join(dir, "etcd.sock")
	server := openEtcd(t, state.EtcdConfig{Dir: dir, Ballast: smallBallast, ListenClient: url})
	next := prefixes()
	statetest.Run(t, func(t *testing.T) statetest.Store {
		prefix := next()
		e := server.Sibling(prefix)
		t.Cleanup(func() { _ = e.Close() })
		return etcdStore(t, e, func() state.Backend {
			return openEtcd(t, state.EtcdConfig{Endpoints: []string{url}, Prefix: prefix})
		})
	})
}

// freeAddresses returns loopback addresses that nobody listens at.
func freeAddresses(t testing.TB, n int) (out []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }() // held until all are chosen, so that they differ
		out = append(out, l.Addr().String())
	}
	return out
}

// openCluster starts members on loopback.
func openCluster(t testing.TB, dir string, size int, ttl time.Duration) []*state.Etcd {
	t.Helper()
	members := map[string]string{}
	for i, address := range freeAddresses(t, size) {
		members[fmt.Sprintf("m%d", i)] = "http://" + address
	}
	out, errs := make([]*state.Etcd, size), make(chan error, size)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range size {
		go func() {
			name := fmt.Sprintf("m%d", i)
			var err error
			out[i], err = state.OpenEtcd(ctx, state.EtcdConfig{
				Dir: filepath.Join(dir, name), Ballast: smallBallast, LeaseTTL: ttl,
				Cluster: &state.EtcdCluster{Name: name, Members: members},
			})
			errs <- err
		}()
	}
	for range size {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, e := range out {
			_ = e.Close()
		}
	})
	return out
}

// It has the machine to itself: members that starve hold elections.
func TestEtcdClusterKeepsTheContract(t *testing.T) {
	members := openCluster(t, tempDir(t), 3, 20*time.Second)
	next := prefixes()
	statetest.Run(t, func(t *testing.T) statetest.Store {
		prefix := next()
		var n atomic.Int32
		e := members[0].Sibling(prefix)
		t.Cleanup(func() { _ = e.Close() })
		return etcdStore(t, e, func() state.Backend { return members[n.Add(1)%3].Sibling(prefix) })
	})
}

func TestMemoryDoesNotWaitForTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		db := lead(t, state.NewMemory().Member())
		if err := db.Update(t.Context(), put("a")); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d != 0 {
			t.Fatalf("took %v", d)
		}
	})
}
