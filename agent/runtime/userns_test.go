package runtime

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/roadstead/roadstead/agent/task"
)

// [D] File capabilities of version 2 become version 3 with the root of the namespace; others are left alone.
func TestShiftCaps(t *testing.T) {
	for in, want := range map[string]string{
		"0100000200200000000000000000000000000000":         "010000030020000000000000000000000000000000000040",
		"010000030020000000000000000000000000000000000010": "010000030020000000000000000000000000000000000010",
		"0100": "0100",
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(shiftCaps(b, 0x40000000)); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
		if again := shiftCaps(b, 1); bytes.Equal(b, again) != (hex.EncodeToString(b) == want) {
			t.Errorf("%s was changed in place", in)
		}
	}
}

// [I] A task in a user namespace has it by path, with the ids of its sandbox, and mounts that stay as locked as they are.
func TestUserNamespaceOfASandbox(t *testing.T) {
	box := task.Sandbox{Mode: "awsvpc", Path: "/n/x", User: "/n/x.user", UserBase: 1 << 30}
	s := build(t, func(in *specInput) {
		in.Sandbox = box
		in.Mounts = []task.Mount{{Source: "/proc", Destination: "/p", ReadOnly: true}}
	})
	if namespace(s, specs.UserNamespace) != "/n/x.user" || len(s.Linux.UIDMappings) != 1 || s.Linux.GIDMappings[0] != (specs.LinuxIDMapping{HostID: 1 << 30, Size: 65536}) {
		t.Errorf("namespaces %+v, users %+v", s.Linux.Namespaces, s.Linux.UIDMappings)
	}
	i := slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == "/p" })
	if o, want := s.Mounts[i].Options, append([]string{"rbind", "rprivate", "ro"}, lockedOptions("/proc")...); !slices.Equal(o, want) {
		t.Errorf("mounted with %v, want %v", o, want)
	}
	if s.Linux.Sysctl["net.ipv4.ping_group_range"] != "0 65535" {
		t.Errorf("sysctls %v", s.Linux.Sysctl)
	}
	h, err := holderSpec(context.Background(), "/root", "/usr/bin/i", "/cg", box)
	if err != nil {
		t.Fatal(err)
	}
	if namespace(h, specs.UserNamespace) != "/n/x.user" || len(h.Process.Capabilities.Bounding) > 0 || h.Process.User.UID == 0 || namespace(h, specs.NetworkNamespace) != "new" {
		t.Errorf("holder %+v in %+v", h.Process, h.Linux.Namespaces)
	}
}

// [I] A container's layer is where its task's storage is, with the mode of the image's root, and the image stays below.
func TestOwnMounts(t *testing.T) {
	dir := t.TempDir()
	upper := filepath.Join(dir, "upper")
	if err := os.Mkdir(upper, 0o751); err != nil {
		t.Fatal(err)
	}
	from := []mount.Mount{{Type: "overlay", Source: "overlay", Options: []string{"index=off", "workdir=/w", "upperdir=" + upper, "lowerdir=/l"}}}
	same, err := own(from, "c", identity{})
	if err != nil || !slices.Equal(same[0].Options, from[0].Options) {
		t.Errorf("%v, %v", same, err)
	}
	at := storageDir(dir, "c")
	got, err := own(from, "c", identity{storage: dir, base: 7})
	if want := []string{"index=off", "workdir=" + at + "/work", "upperdir=" + at + "/fs", "lowerdir=/l", "metacopy=on"}; err != nil || !slices.Equal(got[0].Options, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if info, err := os.Stat(at + "/fs"); err != nil || info.Mode().Perm() != 0o751 {
		t.Errorf("the layer is %v, %v", info, err)
	}
	if _, err := own([]mount.Mount{{Type: "bind"}}, "c", identity{storage: dir}); err == nil {
		t.Error("a snapshot without layers was taken")
	}
}
