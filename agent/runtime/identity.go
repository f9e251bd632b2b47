package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"

	"github.com/containerd/containerd/v2/core/containers"

	"github.com/roadstead/roadstead/agent/task"
)

// Labels of our containers, beside those of the spec.
const (
	labelID         = "roadstead.container"
	labelTask       = "roadstead.task"
	labelName       = "roadstead.name"
	labelStopSignal = "roadstead.stop-signal"
	labelLog        = "roadstead.log"
	labelIO         = "roadstead.io" // "tty", "stdin", "tty,stdin" or absent
	labelCgroup     = "roadstead.cgroup"
	labelStorage    = "roadstead.storage"
	labelBase       = "roadstead.user-base"
)

// labelMax is containerd's bound on the bytes of a label's key and value together.
const labelMax = 4096

// identity is what we remember of a container between calls; its labels hold the same.
type identity struct {
	id, task, name string
	stopSignal     string
	log            string
	io             string
	cgroup         string // the container's; its parent is the task's
	storage        string // of the task's own for what the container writes, "" for the node's
	base           uint32 // what its root is outside, 0 without a user namespace
	pid            uint32 // of the process that Create made, 0 if this Runtime did not; no label holds it
}

// containerdID is the name under which containerd knows container id: id itself where containerd allows that (76
// characters, no two separators in a row), else a digest of it.
func containerdID(id string) string {
	if len(id) <= 76 && plainID.MatchString(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "h" + hex.EncodeToString(sum[:16])
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$`)

func identityOf(labels map[string]string) (identity, bool) {
	i := identity{
		id: labels[labelID], task: labels[labelTask], name: labels[labelName],
		stopSignal: labels[labelStopSignal], log: labels[labelLog], io: labels[labelIO],
		cgroup: labels[labelCgroup], storage: labels[labelStorage],
	}
	if base, err := strconv.ParseUint(labels[labelBase], 10, 32); err == nil {
		i.base = uint32(base)
	}
	return i, i.id != ""
}

// labelsOf are the labels that a container gets. Docker labels too long for containerd are left out: they are in
// the task definition too, and only ours decide anything.
func labelsOf(spec task.ContainerSpec, i identity) map[string]string {
	out := map[string]string{}
	for _, from := range []map[string]string{spec.Config.Labels, spec.Labels} {
		for k, v := range from {
			if len(k)+len(v) <= labelMax {
				out[k] = v
			}
		}
	}
	if i.base > 0 {
		out[labelBase] = strconv.FormatUint(uint64(i.base), 10)
	}
	for k, v := range map[string]string{
		labelID: i.id, labelTask: i.task, labelName: i.name, labelStopSignal: i.stopSignal, labelLog: i.log, labelIO: i.io,
		labelCgroup: i.cgroup, labelStorage: i.storage,
	} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// publicLabels are the labels without our own.
func publicLabels(labels map[string]string) map[string]string {
	out := make(map[string]string, len(labels))
	for k, v := range labels {
		switch k {
		case labelID, labelTask, labelName, labelStopSignal, labelLog, labelIO, labelCgroup, labelStorage, labelBase:
		default:
			out[k] = v
		}
	}
	return out
}

func (r *Runtime) remember(cid string, i identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[cid] = i
}

func (r *Runtime) recall(cid string) (identity, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, ok := r.known[cid]
	return i, ok
}

func (r *Runtime) forget(cid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, cid)
}

func (r *Runtime) rememberAll(all []containers.Container) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range all {
		if i, ok := identityOf(c.Labels); ok {
			r.known[c.ID] = i
		}
	}
}
