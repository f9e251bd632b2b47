//go:build e2e

package network

import (
	"net/netip"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// [I] The sandbox of a FARGATE task is owned by a user namespace, which the next process knows, nobody takes for foreign, and which
// goes with it.
func TestIsolatedSandbox(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx := t.Context()
	cfg := Config{Dir: t.TempDir() + "/n", Bridge: "rsu" + strconv.Itoa(os.Getpid()%100000), Subnet: netip.MustParsePrefix("10.217.0.0/24"), MetadataIP: "-", UserBase: 1 << 30}
	n, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	box, err := n.Setup(ctx, task.SandboxRequest{TaskID: "t", Mode: "awsvpc", Isolated: true})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := n.Setup(ctx, task.SandboxRequest{TaskID: "p", Mode: "awsvpc"})
	if err != nil || plain.User != "" || plain.UserBase != 0 {
		t.Errorf("%+v, %v", plain, err)
	}
	if n, err = New(ctx, cfg); err != nil { // the next process
		t.Fatal(err)
	}
	known := func() (map[string][]string, error) { return map[string][]string{"t": nil, "p": nil}, nil }
	if f, err := FindForeign(cfg, known); err != nil || !f.Empty() {
		t.Errorf("foreign: %+v, %v", f, err)
	}
	if all, err := n.List(ctx); err != nil || len(all) != 2 || all[1].User != box.User || all[1].UserBase != 1<<30 {
		t.Errorf("lists %+v, %v; made %+v", all, err, box)
	}
	if !owns(t, box.User, box.Path) || !n.netns.exists("t"+userSuffix) {
		t.Error("its network is not its users'")
	}
	for _, id := range []string{"t", "p"} {
		if err := n.Release(ctx, id, ""); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(n.netns.dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := n.Cleanup(ctx); err != nil {
		t.Error(err)
	}
}

// owns says whether a user namespace is the owner of another one.
func owns(t *testing.T, users, ns string) bool {
	t.Helper()
	f, err := os.Open(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	owner, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(owner)
	var a, b unix.Stat_t
	if err := unix.Fstat(owner, &a); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat(users, &b); err != nil {
		t.Fatal(err)
	}
	return a.Ino == b.Ino
}
