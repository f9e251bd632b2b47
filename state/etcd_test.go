package state_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// eventually polls until ok says yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("waited in vain: " + what)
		}
	}
}

const childEnv = "ROADSTEAD_TEST_STATE_DIR"

// TestChildThatIsKilled is not a test by itself: TestKilledServerLosesNothing runs it in a process of its own. It says
// on stdout which rows were acknowledged.
func TestChildThatIsKilled(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("only as a child of TestKilledServerLosesNothing")
	}
	e, err := state.OpenEtcd(t.Context(), state.EtcdConfig{Dir: dir, Ballast: smallBallast})
	if err != nil {
		t.Fatal(err)
	}
	db := lead(t, e)
	fmt.Println("led")
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := db.Update(context.Background(), put(name)); err != nil {
					fmt.Println("failed", err)
					return
				}
				fmt.Println("row " + name) // one write, so whole lines or nothing
			}
		}()
	}
	select {}
}

func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	var acked []string
	for range 3 {
		acked = append(acked, runAndKill(t, dir, 300)...)
	}
	began := time.Now()
	db := lead(t, openEtcd(t, state.EtcdConfig{Dir: dir, Ballast: smallBallast}))
	t.Logf("%d rows acknowledged; leads again after %v", len(acked), time.Since(began))
	for _, name := range acked {
		if !has(db, name) {
			t.Errorf("row %s was acknowledged and is lost", name)
		}
	}
}

func runAndKill(t *testing.T, dir string, rows int) (acked []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestChildThatIsKilled$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "row "):
			if acked = append(acked, line[4:]); len(acked) == rows {
				_ = cmd.Process.Kill()
			}
		case line != "led":
			t.Log("child:", line)
		}
	}
	_ = cmd.Wait()
	if len(acked) < rows {
		t.Fatalf("the child acknowledged only %d rows", len(acked))
	}
	return acked
}

func TestFullDiskRefusesWritesAndRecovers(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	const ballast = 4 << 20
	e := openEtcd(t, state.EtcdConfig{Dir: dir, Ballast: ballast})
	db := lead(t, e)
	file := filepath.Join(dir, "ballast")
	st, err := os.Stat(file)
	if err != nil || st.Size() != ballast || st.Sys().(*syscall.Stat_t).Blocks*512 < ballast {
		t.Fatalf("no ballast of real blocks: %v %v", st, err)
	}
	var free atomic.Int64
	free.Store(ballast * 3 / 4)
	e.SetFree(func(string) (int64, error) { return free.Load(), nil })
	err = db.Update(t.Context(), put("a"))
	if !errors.Is(err, state.ErrNoSpace) || !strings.Contains(err.Error(), "3 MiB free in "+dir) {
		t.Fatalf("with little space: %v", err)
	}
	free.Store(ballast / 4)
	eventually(t, "the ballast is given up", func() bool { _, err := os.Stat(file); return errors.Is(err, os.ErrNotExist) })
	free.Store(ballast * 2) // not enough for a ballast and the reserve
	if err := db.Update(t.Context(), put("b")); !errors.Is(err, state.ErrNoSpace) {
		t.Fatalf("without ballast: %v", err)
	}
	if !db.Leading() {
		t.Fatal("the term ended")
	}
	free.Store(ballast * 10)
	if err := db.Update(t.Context(), put("c")); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error("the ballast is not made again:", err)
	}
	if has(db, "a") || has(db, "b") || !has(db, "c") {
		t.Error("wrong rows")
	}
}

// TestReallyFullDisk needs a file system of its own, so it runs only as root.
func TestReallyFullDisk(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	const ballast = 16 << 20
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=220m,mode=0700"); err != nil {
		t.Skip("mount:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	db := lead(t, openEtcd(t, state.EtcdConfig{Dir: filepath.Join(dir, "data"), Ballast: ballast, LeaseTTL: time.Second}))
	if err := db.Update(t.Context(), put("before")); err != nil {
		t.Fatal(err)
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil { // somebody else fills the disk to the last byte
		_, err = filler.Write(make([]byte, 64<<10))
	}
	if err := db.Update(t.Context(), put("full")); !errors.Is(err, state.ErrNoSpace) {
		t.Fatalf("on a full disk: %v", err)
	}
	for began := time.Now(); time.Since(began) < 2*time.Second; { // longer than the lease
		if err := db.Update(t.Context(), put("full")); err == nil {
			t.Fatal("a write on a full disk")
		}
		pauseFor(t, 100*time.Millisecond)
	}
	if !db.Leading() || !has(db, "before") {
		t.Fatal("the leader did not survive")
	}
	if err := errors.Join(filler.Close(), os.Remove(filler.Name())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "writes are taken again", func() bool { return db.Update(t.Context(), put("after")) == nil })
	if has(db, "full") || !has(db, "after") {
		t.Error("wrong rows")
	}
}

func pauseFor(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func TestQuotaIsHealedByDeleting(t *testing.T) {
	t.Parallel()
	db := lead(t, openEtcd(t, state.EtcdConfig{Dir: tempDir(t), Ballast: smallBallast, Quota: 4 << 20}))
	big := strings.Repeat("x", 100<<10)
	var err error
	n := 0
	for ; n < 200 && err == nil; n++ {
		err = db.Update(t.Context(), func(tx *state.Tx) error {
			tx.Clusters.Put(&model.Cluster{Scope: scope, Name: fmt.Sprint(n), Status: big})
			return nil
		})
	}
	if !errors.Is(err, state.ErrNoSpace) || !strings.Contains(err.Error(), "quota of 4 MiB") {
		t.Fatalf("after %d rows: %v", n, err)
	}
	if s := db.Snapshot(); s.Clusters.Len() != n-1 || !db.Leading() {
		t.Fatalf("%d rows after %d were taken", s.Clusters.Len(), n-1)
	}
	if err := db.Wipe(t.Context()); err != nil {
		t.Fatal("deleting while over the quota:", err)
	}
	eventually(t, "writes are taken again", func() bool { return db.Update(t.Context(), put("after")) == nil })
}

func TestWipeOfManyRows(t *testing.T) {
	t.Parallel()
	e := openEtcd(t, state.EtcdConfig{Dir: tempDir(t), Ballast: smallBallast})
	db := lead(t, e)
	const batches, rows = 10, 2000
	for b := range batches {
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			for i := range rows {
				tx.Clusters.Put(&model.Cluster{Scope: scope, Name: fmt.Sprintf("%d-%d", b, i)})
			}
			tx.Accounts.Put(&model.Account{ID: "000000000000"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	follower := state.Open(state.Config{Backend: e.Sibling("/roadstead/"), Codec: jsonCodec})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = follower.Run(ctx) }()
	defer func() { cancel(); <-done; _ = follower.Close() }()
	eventually(t, "the follower has all", func() bool { return follower.Snapshot().Clusters.Len() == batches*rows })
	began := time.Now()
	if err := db.Wipe(t.Context(), "accounts"); err != nil {
		t.Fatal(err)
	}
	t.Logf("wiped %d rows in %v", batches*rows, time.Since(began))
	if s := db.Snapshot(); s.Clusters.Len() != 0 || s.Accounts.Len() != 1 {
		t.Errorf("%d clusters, %d accounts", s.Clusters.Len(), s.Accounts.Len())
	}
	eventually(t, "the follower has none", func() bool { s := follower.Snapshot(); return s.Clusters.Len() == 0 && s.Accounts.Len() == 1 })
}

// TestLeaderOfAClusterIsReplaced: the member that leads is closed without resigning; another takes over, with
// everything acknowledged.
func TestLeaderOfAClusterIsReplaced(t *testing.T) {
	t.Parallel()
	members := openCluster(t, tempDir(t), 3, 2*time.Second)
	dbs := make([]*state.DB, 3)
	stop := make([]func(), 3)
	for i, m := range members {
		dbs[i] = state.Open(state.Config{Backend: m, Codec: jsonCodec, Advertise: fmt.Sprintf("http://m%d", i)})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = dbs[i].Run(ctx) }()
		stop[i] = func() { cancel(); <-done }
		defer stop[i]()
	}
	leading := func() int {
		for i, db := range dbs {
			if db.Leading() {
				return i
			}
		}
		return -1
	}
	eventually(t, "one leads", func() bool { return leading() >= 0 })
	first := leading()
	for i := range 50 {
		if err := dbs[first].Update(t.Context(), put(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i, db := range dbs {
		eventually(t, "all know the leader", func() bool {
			who, _, err := db.Leader(t.Context())
			return err == nil && who == fmt.Sprintf("http://m%d", first)
		})
		eventually(t, fmt.Sprintf("member %d follows", i), func() bool { return db.Snapshot().Clusters.Len() == 50 })
	}
	began := time.Now()
	_ = members[first].Close() // as abruptly as it goes in one process
	eventually(t, "another leads", func() bool { n := leading(); return n >= 0 && n != first })
	second := leading()
	if err := dbs[second].Update(t.Context(), put("after")); err != nil {
		t.Fatal(err)
	}
	t.Logf("writes again %v after the leader was lost", time.Since(began))
	if n := dbs[second].Snapshot().Clusters.Len(); n != 51 {
		t.Errorf("%d rows, want 51", n)
	}
	if dbs[first].Leading() {
		t.Error("the closed member still leads")
	}
}

func TestCloseIsQuick(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := tempDir(t)
	var closing time.Duration
	for range 3 {
		began := time.Now()
		e, err := state.OpenEtcd(ctx, state.EtcdConfig{Dir: dir, Ballast: smallBallast})
		if err != nil {
			t.Fatal(err)
		}
		opened := time.Since(began)
		db := state.Open(state.Config{Backend: e, Codec: jsonCodec})
		running, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); _ = db.Run(running) }()
		if err := db.AwaitLead(ctx); err != nil {
			t.Fatal(err)
		}
		led := time.Since(began)
		cancel()
		<-done
		began = time.Now()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		closing = time.Since(began)
		t.Logf("opened in %v, led after %v, closed in %v", opened, led, closing)
	}
	if closing > 5*time.Second { // not a measurement: clientv3 connections left open would make it 7 s
		t.Errorf("closing took %v", closing)
	}
}

func TestWipeOfAHundredThousandRows(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100,000 rows")
	}
	t.Parallel()
	db := lead(t, openEtcd(t, state.EtcdConfig{Dir: tempDir(t), Ballast: smallBallast}))
	for b := range 50 {
		err := db.Update(t.Context(), func(tx *state.Tx) error {
			for i := range 2000 {
				tx.Tasks.Put(&model.Task{Launch: &model.Launch{Scope: scope, Cluster: "c"}, ID: fmt.Sprintf("%d-%d", b, i), Instance: "i"})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if err := db.Wipe(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("wiped 100,000 rows in %v", time.Since(began))
}
