package volumes

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// Values are what stands behind the files of volumes (docs/decisions/029).
type Values struct {
	// Get gets the files of a task's volume by their names. Errors are *task.Failure where a name exists for what went wrong.
	Get func(ctx context.Context, taskID string, sources []acs.FileSource) (map[string][]byte, error)
	// Tell sends a signal to the containers of the task that have the volume and run.
	Tell func(ctx context.Context, taskID, volume, signal string) error
	Log  *slog.Logger
}

// Parts of the directory of a volume with files in memory. There are no values in either.
const (
	filesName = "files.json" // acs.FileVolume
	toldName  = "told"       // the generation that the containers know of
)

// The memory of a volume: two generations of as much as it may hold.
const (
	mostBytes = 8 << 20
	tmpfsSize = "size=17m,nr_inodes=20k,mode=0755"
)

// files is a volume with files in memory that a task uses now.
type files struct {
	dir, taskID, name string
	about             acs.FileVolume

	// guarded by Volumes.filesMu
	due    time.Time
	busy   bool   // somebody looks at it now
	failed string // what was logged last
}

// attachFiles fills the volume before the task's containers can see it. One that is filled already is as it is.
func (v *Volumes) attachFiles(ctx context.Context, taskID, name string, about *acs.FileVolume) (task.Volume, error) {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return task.Volume{}, fail("InvalidVolumeError", "volume %q: the name is no file name", name)
	}
	dir := filepath.Join(v.cfg.Dir, "tasks", taskID, name)
	data := filepath.Join(dir, dataName)
	at := task.Volume{Source: data, ReadOnly: true}
	if v.filled(data) {
		return at, nil
	}
	if v.cfg.Values.Get == nil {
		return task.Volume{}, fail(cannotCreate, "volume %s: this node has no files in memory", name)
	}
	values, err := v.values(ctx, taskID, about)
	if err != nil {
		return task.Volume{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.filled(data) { // another container of the task was quicker
		return at, nil
	}
	if err := v.makeFiles(dir, taskID, values, about); err != nil {
		return task.Volume{}, fmt.Errorf("make volume %s: %w", name, err)
	}
	v.watch(&files{dir: dir, taskID: taskID, name: name, about: *about}, time.Now())
	return at, nil
}

func (v *Volumes) filled(data string) bool {
	mounted, err := v.isMounted(data)
	return err == nil && mounted && tree(data).generation() != ""
}

func (v *Volumes) values(ctx context.Context, taskID string, about *acs.FileVolume) (map[string][]byte, error) {
	values, err := v.cfg.Values.Get(ctx, taskID, about.Sources)
	if err != nil {
		return nil, err
	}
	sum := 0
	for name, b := range values {
		if !acs.IsFileName(name) {
			return nil, fail(cannotCreate, "a file cannot be called %q", name)
		}
		sum += len(b)
	}
	if sum > mostBytes {
		return nil, fail(cannotCreate, "the files have %d bytes, and may have %d", sum, mostBytes)
	}
	return values, nil
}

// makeFiles: the note comes first, so that a kill at any step leaves nothing that Detach does not find.
func (v *Volumes) makeFiles(dir, taskID string, values map[string][]byte, about *acs.FileVolume) error {
	data := filepath.Join(dir, dataName)
	for _, d := range []string{filepath.Join(dir, usersName), data} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return err
		}
	}
	b, err := json.Marshal(about)
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, usersName, taskID), nil, 0o600), replaceFile(filepath.Join(dir, filesName), b))
	if err != nil {
		return err
	}
	mounted, err := v.isMounted(data)
	if err == nil && !mounted {
		err = v.mountMemory(data)
	}
	if err != nil {
		return err
	}
	if err := tree(data).write(values, about); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, toldName), []byte(tree(data).generation()))
}

func replaceFile(name string, b []byte) error {
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// mountMemory mounts a tmpfs that is never swapped out where the kernel can promise that (Linux 6.4).
func mountMemory(at string) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	err := unix.Mount("roadstead", at, "tmpfs", flags, tmpfsSize+",noswap")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("roadstead", at, "tmpfs", flags, tmpfsSize)
	}
	if err != nil {
		return fmt.Errorf("mount memory at %s: %w", at, err)
	}
	return nil
}

// recallFiles finds the volumes with files that earlier processes have left to this one.
func (v *Volumes) recallFiles() {
	for _, name := range v.glob("tasks", "*", "*", filesName) {
		dir := filepath.Dir(name)
		f := &files{dir: dir, taskID: filepath.Base(filepath.Dir(dir)), name: filepath.Base(dir)}
		b, err := os.ReadFile(name)
		if err != nil || json.Unmarshal(b, &f.about) != nil {
			continue // half made: no container has it
		}
		v.watch(f, time.Time{})
	}
}

// watch remembers to look at the volume again: so early that all is done when its time is over, and not at all of a node's at once.
func (v *Volumes) watch(f *files, now time.Time) {
	v.filesMu.Lock()
	defer v.filesMu.Unlock()
	f.due = now.Add(f.pause())
	v.files[f.dir] = f
}

func (f *files) pause() time.Duration {
	every := time.Duration(f.about.Refresh) * time.Second
	sum := sha256.Sum256([]byte(f.dir))
	return every*2/3 + every*time.Duration(sum[0])/(6*256)
}

// lookEvery is how often Run looks whose time has come, and lookers how many it asks about at once.
const (
	lookEvery = 500 * time.Millisecond
	lookers   = 8
)

// Run keeps the files of volumes as their sources are until ctx ends.
func (v *Volumes) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, lookers)
	for {
		for _, f := range v.dueFiles(time.Now()) {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			wg.Go(func() {
				v.looked(ctx, f, v.refresh(ctx, f))
				<-slots
			})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// dueFiles are the volumes whose time has come; they are busy until they have been looked at.
func (v *Volumes) dueFiles(now time.Time) (out []*files) {
	v.filesMu.Lock()
	defer v.filesMu.Unlock()
	for _, f := range v.files {
		if f.about.Refresh > 0 && !f.busy && !now.Before(f.due) {
			f.busy = true
			out = append(out, f)
		}
	}
	return out
}

func (v *Volumes) looked(ctx context.Context, f *files, err error) {
	v.filesMu.Lock()
	defer v.filesMu.Unlock()
	f.busy, f.due = false, time.Now().Add(f.pause())
	switch {
	case ctx.Err() != nil:
	case err == nil:
		f.failed = ""
	case err.Error() != f.failed:
		f.failed = err.Error()
		v.cfg.Values.Log.Warn("look for new values of a volume; it stays as it is", "task", f.taskID, "volume", f.name, "err", err)
	}
}

// refresh gives the volume the values of now, and tells its containers once of each change: again, if a kill came between.
func (v *Volumes) refresh(ctx context.Context, f *files) error {
	values, err := v.values(ctx, f.taskID, &f.about)
	if err != nil {
		return err
	}
	data := tree(filepath.Join(f.dir, dataName))
	current, err := v.renew(f, data, values)
	if err != nil || current == "" || f.about.Signal == "" {
		return err
	}
	if told, err := os.ReadFile(filepath.Join(f.dir, toldName)); err == nil && string(told) == current {
		return nil
	}
	if err := v.cfg.Values.Tell(ctx, f.taskID, f.name, f.about.Signal); err != nil {
		return fmt.Errorf("send %s: %w", f.about.Signal, err)
	}
	err = replaceFile(filepath.Join(f.dir, toldName), []byte(current))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the task is over
	}
	return err
}

// renew returns the generation that is current then, "" of a volume that is in no use any more.
func (v *Volumes) renew(f *files, data tree, values map[string][]byte) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.filled(string(data)) {
		return "", nil
	}
	if !data.holds(values) {
		if err := data.write(values, &f.about); err != nil {
			return "", fmt.Errorf("change files: %w", err)
		}
	}
	return data.generation(), nil
}

// endFiles empties a volume with files that is about to be unmounted, and looks at it no more.
func (v *Volumes) endFiles(dir string) error {
	v.filesMu.Lock()
	delete(v.files, dir)
	v.filesMu.Unlock()
	if _, err := os.Stat(filepath.Join(dir, filesName)); err != nil {
		return nil
	}
	data := filepath.Join(dir, dataName)
	if mounted, err := v.isMounted(data); err != nil || !mounted {
		return err
	}
	return tree(data).empty()
}
