package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/snapshots"
	"golang.org/x/sync/errgroup"
)

// Leftovers is what containers leave on the machine while they exist; after the last Delete all of it is empty.
type Leftovers struct {
	Containers []string // in containerd
	Snapshots  []string // writable ones; images' layers stay by intent
	Shims      []string // "PID CMDLINE" of our namespace's shims
	Mounts     []string // mount points of root file systems, and below Config.Dir
	Cgroups    []string // directories below Config.Cgroup
	Files      []string // directories of containers below Config.Dir
}

// Empty says that nothing is left.
func (l Leftovers) Empty() bool {
	return len(l.Containers)+len(l.Snapshots)+len(l.Shims)+len(l.Mounts)+len(l.Cgroups)+len(l.Files) == 0
}

// Leftovers looks for everything that this Runtime's containers occupy.
func (r *Runtime) Leftovers(ctx context.Context) (Leftovers, error) {
	ctx = r.in(ctx)
	var l Leftovers
	all, err := r.containers.List(ctx)
	if err != nil {
		return l, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range all {
		l.Containers = append(l.Containers, c.ID)
	}
	err = r.snapshots.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindActive {
			l.Snapshots = append(l.Snapshots, info.Name)
		}
		return nil
	})
	if err != nil {
		return l, fmt.Errorf("list snapshots: %w", err)
	}
	if l.Shims, err = r.shims(); err != nil {
		return l, err
	}
	if l.Mounts, err = r.mountPoints(); err != nil {
		return l, err
	}
	if below := r.cgroup.below(r.cfg.Cgroup); len(below) > 0 {
		for _, dir := range below {
			if !strings.HasSuffix(dir, r.cfg.Cgroup) { // the parent itself may stay
				l.Cgroups = append(l.Cgroups, dir)
			}
		}
	}
	dirs, err := os.ReadDir(filepath.Join(r.cfg.Dir, containersDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("list container directories: %w", err)
	}
	for _, d := range dirs {
		l.Files = append(l.Files, d.Name())
	}
	return l, nil
}

func (r *Runtime) shims() ([]string, error) {
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil { // it ended meanwhile
			continue
		}
		args := strings.Split(string(b), "\x00")
		line := strings.Join(args, " ")
		if strings.Contains(args[0], "containerd-shim") && strings.Contains(line, "-namespace "+r.cfg.Namespace+" ") &&
			strings.Contains(line, "-address "+r.cfg.Address+" ") {
			out = append(out, filepath.Base(filepath.Dir(p))+" "+strings.TrimSpace(line))
		}
	}
	return out, nil
}

func (r *Runtime) mountPoints() ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	defer f.Close()
	var out []string
	for in := bufio.NewScanner(f); in.Scan(); {
		fields := strings.Fields(in.Text())
		if len(fields) > 4 && (strings.Contains(fields[4], "io.containerd.runtime.v2.task/"+r.cfg.Namespace+"/") ||
			strings.HasPrefix(fields[4], r.cfg.Dir+"/")) {
			out = append(out, fields[4])
		}
	}
	return out, nil
}

// Purge removes every container, snapshot and cgroup of the namespace, for a node that is torn down. Images stay.
func (r *Runtime) Purge(ctx context.Context) error {
	err := r.purge(r.in(ctx))
	r.LeaveCgroup()
	return err
}

// LeaveCgroup removes the node's cgroup, if nothing lives in it any more.
func (r *Runtime) LeaveCgroup() {
	below := r.cgroup.below(r.cfg.Cgroup)
	for _, b := range slices.Backward(below) { // children come after their parents
		_ = os.Remove(b)
	}
	if above := path.Dir(r.cfg.Cgroup); above != "/" { // the machine's, once its last node goes
		r.cgroup.remove(above)
	}
}

func (r *Runtime) purge(ctx context.Context) error {
	all, err := r.containers.List(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for _, c := range all {
		g.Go(func() error { return r.remove(ctx, c.ID) })
	}
	err = g.Wait()
	var orphans []string // of a Create that was killed before its container was recorded
	werr := r.snapshots.Walk(ctx, func(_ context.Context, info snapshots.Info) error {
		if info.Kind == snapshots.KindActive {
			orphans = append(orphans, info.Name)
		}
		return nil
	})
	if werr != nil {
		return errors.Join(err, fmt.Errorf("list snapshots: %w", werr))
	}
	dirs, derr := os.ReadDir(filepath.Join(r.cfg.Dir, containersDir))
	if derr != nil && !errors.Is(derr, fs.ErrNotExist) {
		return errors.Join(err, fmt.Errorf("list container directories: %w", derr))
	}
	for _, d := range dirs {
		orphans = append(orphans, d.Name())
	}
	for _, name := range orphans {
		err = errors.Join(err, r.remove(ctx, name))
	}
	return err
}
