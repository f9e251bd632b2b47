package volumes

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

func open(t *testing.T, dir string) *Volumes {
	t.Helper()
	v, err := New(Config{Dir: dir, EFS: map[string]string{"fs-1": filepath.Join(dir, "efs1"), "": filepath.Join(dir, "efs")}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func docker(name, scope string, autoprovision bool) acs.Volume {
	return acs.Volume{Name: name, Type: "docker", Docker: &acs.DockerVolume{Scope: scope, Autoprovision: autoprovision}}
}

func attach(t *testing.T, v *Volumes, taskID string, volume acs.Volume) string {
	t.Helper()
	got, err := v.Attach(t.Context(), taskID, volume)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Seed {
		t.Error("a Docker volume is not filled")
	}
	return got.Source
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A data directory may be called anything, and be reached by any path.
func TestDirectoriesOfAnyName(t *testing.T) {
	at := filepath.Join(t.TempDir(), "a [b*")
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Mkdir(at, 0o711))
	must(t, os.Symlink(at, link))
	t.Chdir(filepath.Dir(link))
	for _, dir := range []string{at, link, "link"} {
		v := open(t, dir)
		own := attach(t, v, "t1", docker("data", "task", false))
		attach(t, v, "t1", docker("data", "shared", true))
		if own != filepath.Join(at, "tasks", "t1", "data", dataName) {
			t.Errorf("%s: the volume is at %s", dir, own)
		}
		must(t, v.Remove(t.Context(), "t1"))
		if ids, err := v.List(t.Context()); err != nil || len(ids) > 0 {
			t.Errorf("%s: tasks %v are left, %v", dir, ids, err)
		}
	}
}

// [D] SEMANTICS §13.5: a volume of scope task goes with its task, a shared one stays; the next process knows both.
func TestScopes(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	own, shared := attach(t, v, "t1", docker("data", "task", false)), attach(t, v, "t1", docker("data", "shared", true))
	if again := attach(t, v, "t1", docker("data", "task", false)); again != own || shared == own {
		t.Errorf("%s, then %s; shared %s", own, again, shared)
	}
	if other := attach(t, v, "t2", docker("data", "shared", false)); other != shared {
		t.Errorf("another task gets %s, want %s", other, shared)
	}
	must(t, os.WriteFile(filepath.Join(shared, "kept"), nil, 0o600))
	v = open(t, dir)
	ids, err := v.List(t.Context())
	if err != nil || !slices.Equal(ids, []string{"t1", "t2"}) {
		t.Errorf("tasks %v, %v", ids, err)
	}
	for range 2 {
		must(t, v.Detach(t.Context(), "t1"))
		must(t, v.Remove(t.Context(), "t1"))
		must(t, v.Remove(t.Context(), "t2"))
	}
	if ids, err := v.List(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("tasks %v, %v", ids, err)
	}
	if _, err := os.Stat(own); !os.IsNotExist(err) {
		t.Errorf("the task's volume is left: %v", err)
	}
	if _, err := os.Stat(filepath.Join(shared, "kept")); err != nil {
		t.Error(err)
	}
}

// [D] SEMANTICS §13.5: what cannot be attached says why.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	attach(t, v, "t1", docker("there", "shared", true))
	must(t, os.MkdirAll(filepath.Join(dir, "shared", "by-hand", "data"), 0o755))
	attach(t, v, "t1", docker("by-hand", "shared", false))
	must(t, os.MkdirAll(filepath.Join(dir, "efs1", "sub"), 0o755))
	must(t, os.Symlink("../..", filepath.Join(dir, "efs1", "out")))
	with := func(v acs.Volume, change func(*acs.DockerVolume)) acs.Volume { change(v.Docker); return v }
	opts := func(o map[string]string) acs.Volume {
		return with(docker("o", "task", false), func(d *acs.DockerVolume) { d.DriverOpts = o })
	}
	efs := func(id, root string, a *acs.EFSAuthorization) acs.Volume {
		return acs.Volume{Name: "e", Type: "efs", EFS: &acs.EFSVolume{FileSystemID: id, RootDirectory: root, Authorization: a}}
	}
	for _, c := range []struct {
		volume acs.Volume
		want   string
	}{
		{docker("absent", "shared", false), "CannotCreateVolumeError: volume absent does not exist on this node, and autoprovision is off"},
		{with(docker("there", "shared", true), func(d *acs.DockerVolume) { d.Labels = map[string]string{"a": "b"} }), "CannotCreateVolumeError: volume there exists with other labels"},
		{with(docker("there", "shared", true), func(d *acs.DockerVolume) { d.DriverOpts = map[string]string{"type": "tmpfs", "device": "tmpfs"} }), "CannotCreateVolumeError: volume there exists with other driver options"},
		{with(docker("d", "task", false), func(d *acs.DockerVolume) { d.Driver = "rexray" }), "CannotCreateVolumeError: volume d: this node has no volume driver rexray"},
		{docker("../x", "task", false), "InvalidVolumeError: "},
		{opts(map[string]string{"size": "10G"}), `CannotCreateVolumeError: volume o: invalid option: "size"`},
		{opts(map[string]string{"type": "tmpfs"}), `CannotCreateVolumeError: volume o: missing required option: "device"`},
		{opts(map[string]string{"device": "/x"}), `CannotCreateVolumeError: volume o: missing required option: "type"`},
		{acs.Volume{Name: "x", Type: "fsx"}, "InvalidVolumeError: volume x: this node has no volumes of type fsx"},
		{efs("fs-2", "", nil), "ResourceInitializationError: file system fs-2: "},
		{efs("fs-1", "/nosuch", nil), "ResourceInitializationError: file system fs-1: "},
		{efs("fs-1", "/out", nil), "ResourceInitializationError: file system fs-1: /out leads out of it"},
		{efs("fs-1", "", &acs.EFSAuthorization{AccessPointID: "fsap-1"}), "ResourceInitializationError: file system fs-1: this node has no access points"},
	} {
		_, err := v.Attach(t.Context(), "t1", c.volume)
		if _, named := err.(*task.Failure); !named || !strings.HasPrefix(err.Error(), c.want) { //nolint:errorlint // it must be one, not hold one
			t.Errorf("%+v: %v, want %s", c.volume, err, c.want)
		}
	}
	must(t, os.MkdirAll(filepath.Join(dir, "efs", "fs-3"), 0o755))
	for root, volume := range map[string]acs.Volume{
		"efs1": efs("fs-1", "/", nil), "efs1/sub": efs("fs-1", "/../sub", nil), "efs/fs-3": efs("fs-3", "", nil),
	} {
		want, err := filepath.EvalSymlinks(filepath.Join(dir, root))
		must(t, err)
		if got, err := v.Attach(t.Context(), "t1", volume); err != nil || got != (task.Volume{Source: want}) {
			t.Errorf("%+v: %+v, %v", volume.EFS, got, err)
		}
	}
}

// [D] The local driver's options mean what mount's do.
func TestReadOptions(t *testing.T) {
	m, err := readOptions(map[string]string{"type": "nfs", "device": ":/export", "o": "addr=127.0.0.1,nosuid,suid,ro,hard,vers=4.1"})
	want := &mounting{kind: "nfs", device: ":/export", flags: unix.MS_RDONLY, data: []string{"addr=127.0.0.1", "hard", "vers=4.1"}}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("%+v, %v; want %+v", m, err, want)
	}
	if m, err := readOptions(nil); m != nil || err != nil {
		t.Errorf("%+v, %v", m, err)
	}
}
