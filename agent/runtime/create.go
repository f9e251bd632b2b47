package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	runcoptions "github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/roadstead/roadstead/agent/task"
)

const runcShim = "io.containerd.runc.v2"

// Create implements task.Runtime. Each call to containerd that writes costs it an fsync or two, so there are only
// three: the snapshot (guarded from garbage collection by its own label, not by a lease), the container, the task.
func (r *Runtime) Create(ctx context.Context, spec task.ContainerSpec) error {
	ctx = r.in(ctx)
	err := r.create(ctx, spec)
	if err == nil || ctx.Err() != nil {
		return failure(cannotCreate, err)
	}
	if errdefs.IsUnavailable(err) { // containerd is away: the next call converges
		return err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if derr := errors.Join(r.remove(cleanup, containerdID(spec.ID)), r.dropHolderOf(cleanup, spec.TaskID)); derr != nil {
		err = errors.Join(err, derr)
	}
	r.dropCgroup(path.Join(r.cfg.Cgroup, spec.TaskID, spec.Name)) // it may be all that there was
	return failure(cannotCreate, err)
}

func (r *Runtime) create(ctx context.Context, spec task.ContainerSpec) error {
	img, err := r.image(ctx, spec.Image)
	if err != nil {
		return err
	}
	cid := containerdID(spec.ID)
	who := identity{
		id: spec.ID, task: spec.TaskID, name: spec.Name, log: spec.LogPath,
		stopSignal: firstOf(spec.Config.StopSignal, img.config.StopSignal), io: ioMode(spec),
		cgroup: path.Join(r.cfg.Cgroup, spec.TaskID, spec.Name), base: spec.Sandbox.UserBase, storage: spec.Storage,
	}
	defer r.holdCgroup(path.Dir(who.cgroup))()
	if err := os.MkdirAll(r.dir(cid), 0o711); err != nil {
		return fmt.Errorf("make container directory: %w", err)
	}
	if spec.Mounts, err = r.withImageVolumes(spec, img); err != nil {
		return err
	}
	if who.base > 0 {
		if spec.Mounts, err = r.idmap(cid, spec.Mounts, spec.Sandbox); err != nil {
			return &task.Failure{Name: cannotCreateVolume, Err: err}
		}
	}
	snapshot := make(chan prepared, 1)
	go func() { // ends with its one call; create does not return before
		mounts, err := r.prepare(ctx, cid, img, who)
		snapshot <- prepared{mounts, err}
	}()
	rootfs, err := r.record(ctx, cid, who, spec, img, snapshot)
	if err != nil {
		return err
	}
	r.cfg.Reached("create.recorded")
	if err := r.seed(ctx, spec.Mounts, rootfs, who.base); err != nil {
		return failure(cannotCreateVolume, err)
	}
	r.remember(cid, who)
	who.pid, err = r.newTask(ctx, cid, who, rootfs)
	if err != nil {
		return failure(cannotStart, err) // runc looks for the command already here
	}
	r.cfg.Reached("create.made")
	r.remember(cid, who)
	return nil
}

// holdCgroup keeps a task's cgroup from being removed, with another container of the task, before it is in use.
func (r *Runtime) holdCgroup(name string) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.making[name]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.making[name]--; r.making[name] == 0 {
			delete(r.making, name)
		}
	}
}

// dropCgroup removes a container's cgroup, and its task's unless another container is in it or about to be.
func (r *Runtime) dropCgroup(name string) {
	r.cgroup.remove(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if parent := path.Dir(name); r.making[parent] == 0 {
		r.cgroup.remove(parent)
	}
}

type prepared struct {
	mounts []mount.Mount
	err    error
}

// record writes the container while its snapshot is being made, and returns the snapshot's mounts.
func (r *Runtime) record(ctx context.Context, cid string, who identity, spec task.ContainerSpec, img *image, snapshot <-chan prepared) ([]mount.Mount, error) {
	c, err := r.newContainer(ctx, cid, who, spec, img, snapshot)
	var got prepared
	if c.rootfs == nil {
		got = <-snapshot
	} else {
		got.mounts = c.rootfs
	}
	if err = errors.Join(got.err, err); err != nil {
		return nil, err
	}
	return got.mounts, nil
}

type recorded struct{ rootfs []mount.Mount }

func (r *Runtime) newContainer(ctx context.Context, cid string, who identity, spec task.ContainerSpec, img *image, snapshot <-chan prepared) (recorded, error) {
	var out recorded
	in, err := r.specInput(ctx, spec, who, img)
	if err != nil {
		return out, err
	}
	userName := firstOf(spec.Config.User, img.config.User)
	user, ok := r.images.user(userKey{img.chainID, userName})
	if !ok { // only the first container of an image waits for the snapshot to read /etc/passwd from it
		got := <-snapshot
		if got.err != nil {
			return recorded{rootfs: []mount.Mount{}}, got.err
		}
		out.rootfs = got.mounts
		if user, err = r.lookUpUser(ctx, cid, userName, who.base); err != nil {
			return out, err
		}
		r.images.putUser(userKey{img.chainID, userName}, user)
	}
	in.user = user
	s, err := buildSpec(ctx, in)
	if err != nil {
		return out, err
	}
	body, err := typeurl.MarshalAny(s)
	if err != nil {
		return out, fmt.Errorf("encode spec: %w", err)
	}
	_, err = r.containers.Create(ctx, containers.Container{
		ID: cid, Labels: labelsOf(spec, who), Image: img.name, Spec: body,
		Runtime:     containers.RuntimeInfo{Name: r.cfg.OCIRuntime},
		Snapshotter: r.cfg.Snapshotter, SnapshotKey: cid,
	})
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return out, fmt.Errorf("create container: %w", err)
	}
	return out, nil
}

func (r *Runtime) specInput(ctx context.Context, spec task.ContainerSpec, who identity, img *image) (specInput, error) {
	host := hostname(spec)
	files, err := r.writeFiles(spec, host, who.base)
	if err != nil {
		return specInput{}, err
	}
	if err := r.cgroup.makeTask(path.Dir(who.cgroup), limitsOf(spec.Task)); err != nil {
		return specInput{}, err
	}
	share, err := r.shared(ctx, spec)
	if err != nil {
		return specInput{}, err
	}
	return specInput{
		ContainerSpec: spec, image: img.config, cgroup: who.cgroup,
		hostname: host, files: files, pidsLimit: r.cfg.PidsLimit, noFile: nodeNoFile(), share: share, gpus: r.cfg.GPUs, init: r.init, apparmor: r.apparmor,
	}, nil
}

// prepare makes the container's writable layer on the image's, unpacking the image if its layers are gone.
func (r *Runtime) prepare(ctx context.Context, cid string, img *image, who identity) ([]mount.Mount, error) {
	keep := map[string]string{"containerd.io/gc.root": time.Now().UTC().Format(time.RFC3339)}
	for again := false; ; again = true {
		parent, err := img.chainID, error(nil)
		if who.base > 0 {
			parent, err = r.remap(ctx, img, who.base)
		}
		var mounts []mount.Mount
		if err == nil {
			mounts, err = r.prepareSnapshot(ctx, cid, parent, withLabels(keep))
		}
		switch {
		case err == nil:
			return own(mounts, cid, who)
		case errdefs.IsAlreadyExists(err):
			return r.rootfs(ctx, cid, who)
		case !errdefs.IsNotFound(err) || again:
			return nil, fmt.Errorf("prepare snapshot: %w", err)
		}
		r.images.drop(img.name)
		if _, err := r.image(ctx, img.name); err != nil {
			return nil, err
		}
	}
}

// rootfs are the mounts of a container's writable layer.
func (r *Runtime) rootfs(ctx context.Context, cid string, who identity) ([]mount.Mount, error) {
	mounts, err := r.snapshots.Mounts(ctx, cid)
	if err != nil {
		return nil, fmt.Errorf("mount snapshot: %w", err)
	}
	return own(mounts, cid, who)
}

// newTask hands the container to a shim, which sets it up and stops short of its first instruction. It returns the
// waiting process, or the one of the task that there was already.
func (r *Runtime) newTask(ctx context.Context, cid string, who identity, rootfs []mount.Mount) (uint32, error) {
	var io stdio
	if who.log != "" {
		io = r.stdio(cid, who)
		if err := r.makeStdio(io, who); err != nil {
			return 0, err
		}
	}
	listen := func(ctx context.Context) error {
		if who.log == "" || r.cfg.OpenLog == nil {
			return nil
		}
		return r.cfg.OpenLog(ctx, cid, io.stdin, io.stdout, io.stderr, who.log)
	}
	q := &tasksapi.CreateTaskRequest{
		ContainerID: cid, Stdin: io.stdin, Stdout: io.stdout, Stderr: io.stderr, Terminal: who.tty(),
	}
	if who.base > 0 { // its streams are its own, so that it can open them again
		options, err := typeurl.MarshalAnyToProto(&runcoptions.Options{IoUid: who.base, IoGid: who.base})
		if err != nil {
			return 0, fmt.Errorf("encode options: %w", err)
		}
		q.Options = options
	}
	for _, m := range rootfs {
		q.Rootfs = append(q.Rootfs, &types.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options})
	}
	// Not to be cut short: containerd would forget the shim that it has started.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), wholePatience)
	defer cancel()
	for {
		a, err := r.createTask(whole, q, listen)
		if err == nil {
			return a.Pid, nil
		}
		pid, again := r.remedy(whole, cid, err)
		if again == nil {
			return pid, nil
		}
		if !errors.Is(again, errAgain) {
			return 0, fmt.Errorf("create task: %w", again)
		}
		select {
		case <-time.After(20 * time.Millisecond): // containerd cleans up in its own time
		case <-whole.Done():
			return 0, fmt.Errorf("create task: %w", err)
		}
	}
}

// errAgain says that what was in the way is gone.
var errAgain = errors.New("create again")

// remedy does away with what prevents a task from being made. It returns the process if the task is there, errAgain, or why nothing
// helps.
func (r *Runtime) remedy(ctx context.Context, cid string, err error) (pid uint32, _ error) {
	switch {
	case errdefs.IsAlreadyExists(err):
		pid, err = r.awaitMade(ctx, cid)
		if err == nil {
			return pid, nil
		}
		if isNotYet(err) {
			err = r.dropShim(ctx, cid)
		} else if errdefs.IsNotFound(err) { // containerd has given that call up meanwhile
			err = nil
		}
	case strings.Contains(err.Error(), runcKnows):
		err = r.forgetInRunc(ctx, cid)
	default:
		return 0, err
	}
	return 0, cmp.Or(err, errAgain)
}

// lookUpUser resolves "", "user", "uid", "user:group" in the files of the container's image, as Docker does.
func (r *Runtime) lookUpUser(ctx context.Context, cid, name string, base uint32) (specs.User, error) {
	c := &containers.Container{ID: cid, Snapshotter: r.cfg.Snapshotter, SnapshotKey: cid}
	s := &specs.Spec{Root: &specs.Root{}, Process: &specs.Process{}, Linux: &specs.Linux{}}
	opts := []oci.SpecOpts{oci.WithAdditionalGIDs("root")}
	if name != "" {
		opts = []oci.SpecOpts{oci.WithUser(name)}
		user, group := cutUser(name)
		if group == "" {
			opts = append(opts, oci.WithAdditionalGIDs(user))
		}
	}
	var from oci.Client = r.client
	if base > 0 {
		from = imageClient{r.client}
	}
	if err := oci.ApplyOpts(ctx, from, c, s, opts...); err != nil {
		return specs.User{}, fmt.Errorf("unable to find user %s: %w", name, err)
	}
	return s.Process.User, nil
}
