// Package volumes keeps the volumes of tasks that are more than a directory of the task's own: Docker volumes of the driver
// local, of scope task and shared, with their mounts, file systems of EFS, which are directories of the node, and values as files
// in memory.
//
// It must not know containers or the control plane. Its memory is the directory itself: a volume is described, and a task is
// noted as its user, before anything is mounted, so that a kill at any step leaves nothing that Detach does not find.
package volumes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Config describes a node's volumes.
type Config struct {
	Dir string // tasks/TASK/NAME and shared/NAME, each with data, volume.json and users/TASK; by whatever path
	// EFS says which directory of the node is which file system: "fs-12345" -> "/srv/data"; under "" is a directory whose
	// subdirectories are file systems, by id. Who wants NFS mounts it there.
	EFS map[string]string
	// Values are those of volumes with files in memory; without Get the node has none.
	Values Values
}

// Volumes implements task.Volumes.
type Volumes struct {
	cfg Config
	mu  sync.Mutex // volumes are made and removed one at a time

	mountMemory func(at string) error
	isMounted   func(at string) (bool, error)

	filesMu sync.Mutex // not held while mu is asked for
	files   map[string]*files
}

// New makes the directory.
func New(cfg Config) (*Volumes, error) {
	for _, name := range []string{"tasks", "shared"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, name), 0o711); err != nil {
			return nil, fmt.Errorf("make volumes directory: %w", err)
		}
	}
	var err error
	if cfg.Dir, err = mountName(cfg.Dir); err != nil {
		return nil, fmt.Errorf("find volumes directory: %w", err)
	}
	if cfg.Values.Log == nil {
		cfg.Values.Log = slog.New(slog.DiscardHandler)
	}
	v := &Volumes{cfg: cfg, mountMemory: mountMemory, isMounted: isMounted, files: map[string]*files{}}
	v.recallFiles()
	return v, nil
}

// scopes of a Docker volume.
const (
	scopeTask   = "task"
	scopeShared = "shared"
)

func fail(name, format string, args ...any) error {
	return &task.Failure{Name: name, Err: fmt.Errorf(format, args...)}
}

const cannotCreate = "CannotCreateVolumeError"

// Attach implements task.Volumes.
func (v *Volumes) Attach(ctx context.Context, taskID string, volume acs.Volume) (task.Volume, error) {
	if volume.Files != nil { // what they hold is asked for, which may take its time
		return v.attachFiles(ctx, taskID, volume.Name, volume.Files)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case volume.Docker != nil:
		return v.attachDocker(taskID, volume.Name, volume.Docker)
	case volume.EFS != nil:
		return v.attachEFS(volume.EFS)
	}
	return task.Volume{}, fail("InvalidVolumeError", "volume %s: this node has no volumes of type %s", volume.Name, volume.Type)
}

func (v *Volumes) attachDocker(taskID, name string, d *acs.DockerVolume) (task.Volume, error) {
	if d.Driver != "" && d.Driver != "local" {
		return task.Volume{}, fail(cannotCreate, "volume %s: this node has no volume driver %s", name, d.Driver)
	}
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return task.Volume{}, fail("InvalidVolumeError", "volume %q: the name is no file name", name)
	}
	m, err := readOptions(d.DriverOpts)
	if err != nil {
		return task.Volume{}, fail(cannotCreate, "volume %s: %w", name, err)
	}
	dir := filepath.Join(v.cfg.Dir, "tasks", taskID, name)
	if d.Scope == scopeShared {
		dir = filepath.Join(v.cfg.Dir, "shared", name)
		if err := v.provision(dir, name, d); err != nil {
			return task.Volume{}, err
		}
	}
	if err := use(dir, taskID, d); err != nil {
		return task.Volume{}, fmt.Errorf("make volume %s: %w", name, err)
	}
	data := filepath.Join(dir, dataName)
	if m != nil {
		if err := m.at(data); err != nil {
			return task.Volume{}, fail(cannotCreate, "volume %s: %w", name, err)
		}
	}
	return task.Volume{Source: data, Seed: true}, nil
}

// Parts of a volume's directory.
const (
	dataName  = "data"
	aboutName = "volume.json"
	usersName = "users"
)

// provision: a shared volume is made if the task may, and is never another than the task thinks (SEMANTICS §13.5).
func (v *Volumes) provision(dir, name string, d *acs.DockerVolume) error {
	old, err := readAbout(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Join(dir, dataName)); err == nil {
			return nil // made by hand
		}
		if !d.Autoprovision {
			return fail(cannotCreate, "volume %s does not exist on this node, and autoprovision is off: make the directory %s, or set autoprovision",
				name, filepath.Join(dir, dataName))
		}
		return nil
	case err != nil:
		return fmt.Errorf("look at volume %s: %w", name, err)
	case !maps.Equal(old.DriverOpts, d.DriverOpts):
		return fail(cannotCreate, "volume %s exists with other driver options: %v", name, old.DriverOpts)
	case d.Autoprovision && !maps.Equal(old.Labels, d.Labels):
		return fail(cannotCreate, "volume %s exists with other labels: %v", name, old.Labels)
	}
	return nil
}

func readAbout(dir string) (acs.DockerVolume, error) {
	var d acs.DockerVolume
	b, err := os.ReadFile(filepath.Join(dir, aboutName))
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(b, &d)
}

// use makes the volume's directory, if it is not there, and notes the task as its user.
func use(dir, taskID string, d *acs.DockerVolume) error {
	if err := os.MkdirAll(filepath.Join(dir, usersName), 0o711); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, usersName, taskID), nil, 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, dataName), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := readAbout(dir); err == nil {
		return nil
	}
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, aboutName)
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// attachEFS finds the directory of a file system. Nothing travels, so there is nothing to encrypt.
func (v *Volumes) attachEFS(e *acs.EFSVolume) (task.Volume, error) {
	const name = "ResourceInitializationError"
	if a := e.Authorization; a != nil && (a.AccessPointID != "" || a.IAM == "ENABLED") {
		return task.Volume{}, fail(name, "file system %s: this node has no access points and no IAM authorization", e.FileSystemID)
	}
	root := v.cfg.EFS[e.FileSystemID]
	if root == "" && v.cfg.EFS[""] != "" && e.FileSystemID == filepath.Base(e.FileSystemID) && !strings.HasPrefix(e.FileSystemID, ".") {
		root = filepath.Join(v.cfg.EFS[""], e.FileSystemID)
	}
	if root == "" {
		return task.Volume{}, fail(name, "file system %s: this node has no directory for it: start its agent with --efs %s=DIRECTORY", e.FileSystemID, e.FileSystemID)
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return task.Volume{}, fail(name, "file system %s: %w", e.FileSystemID, err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Join(root, filepath.Clean("/"+e.RootDirectory)))
	if err != nil {
		return task.Volume{}, fail(name, "file system %s: %w", e.FileSystemID, err)
	}
	if dir != root && !strings.HasPrefix(dir, strings.TrimSuffix(root, "/")+"/") {
		return task.Volume{}, fail(name, "file system %s: %s leads out of it", e.FileSystemID, e.RootDirectory)
	}
	return task.Volume{Source: dir}, nil
}

// Detach implements task.Volumes.
func (v *Volumes) Detach(_ context.Context, taskID string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	for _, dir := range v.used(taskID) {
		errs = append(errs, v.leave(dir, taskID))
	}
	return errors.Join(errs...)
}

// used are the directories of the volumes that the task is a user of.
func (v *Volumes) used(taskID string) []string {
	var out []string
	for _, pattern := range []string{filepath.Join("tasks", taskID, "*"), filepath.Join("shared", "*")} {
		for _, f := range v.glob(pattern, usersName, taskID) {
			out = append(out, filepath.Dir(filepath.Dir(f)))
		}
	}
	return out
}

// glob finds what matches below the directory, whose own name may hold anything.
func (v *Volumes) glob(pattern ...string) []string {
	found, _ := fs.Glob(os.DirFS(v.cfg.Dir), path.Join(pattern...)) // it is well-formed: ids of tasks have no special letters
	for i := range found {
		found[i] = filepath.Join(v.cfg.Dir, found[i])
	}
	return found
}

// leave ends a task's use of a volume, and with the last user its mount.
func (v *Volumes) leave(dir, taskID string) error {
	users, err := os.ReadDir(filepath.Join(dir, usersName))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(users, func(u fs.DirEntry) bool { return u.Name() != taskID }) {
		if err := errors.Join(v.endFiles(dir), unmount(filepath.Join(dir, dataName))); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(dir, usersName, taskID))
}

// Remove implements task.Volumes.
func (v *Volumes) Remove(ctx context.Context, taskID string) error {
	if err := v.Detach(ctx, taskID); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	// One whose task died between its mount and the note of its user is not to be emptied, but unmounted.
	for _, data := range v.glob("tasks", taskID, "*", dataName) {
		if err := errors.Join(v.endFiles(filepath.Dir(data)), unmount(data)); err != nil {
			return err
		}
	}
	if err := unmount(filepath.Join(v.cfg.Dir, "tasks", taskID, storageName, mountedName)); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(v.cfg.Dir, "tasks", taskID))
}

// List implements task.Volumes.
func (v *Volumes) List(context.Context) ([]string, error) {
	ids := map[string]bool{}
	tasks, err := os.ReadDir(filepath.Join(v.cfg.Dir, "tasks"))
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	for _, t := range tasks {
		ids[t.Name()] = true
	}
	for _, u := range v.glob("shared", "*", usersName, "*") {
		ids[filepath.Base(u)] = true
	}
	return slices.Sorted(maps.Keys(ids)), nil
}
