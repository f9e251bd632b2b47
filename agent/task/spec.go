package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/roadstead/roadstead/acs"
)

// Labels of every container (AGENT-PROTOCOL §4.1). LabelDigest is ours: the image digest, so that it survives a
// restart of the agent.
const (
	LabelCluster   = "com.amazonaws.ecs.cluster"
	LabelContainer = "com.amazonaws.ecs.container-name"
	LabelTask      = "com.amazonaws.ecs.task-arn"
	LabelFamily    = "com.amazonaws.ecs.task-definition-family"
	LabelRevision  = "com.amazonaws.ecs.task-definition-version"
	LabelDigest    = "dev.roadstead.image-digest"
)

// maxID is the longest container id that runtimes take.
const maxID = 76

// ID is the task's id on the node: the last part of its ARN, "" if the ARN has none.
func ID(arn string) string {
	return arn[strings.LastIndexByte(arn, '/')+1:]
}

// ContainerID is the id of a task's container on the node: TASKID-NAME, or with a hash in place of names that
// runtimes refuse (too long, or not letters and digits with single dots, dashes and underscores between them).
func ContainerID(taskID, name string) string {
	id := taskID + "-" + name
	if len(id) <= maxID && plain(name) {
		return id
	}
	sum := sha256.Sum256([]byte(name))
	return taskID + "-" + hex.EncodeToString(sum[:12])
}

func plain(name string) bool {
	gap := true
	for _, r := range []byte(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			gap = false
		case (r == '-' || r == '_' || r == '.') && !gap:
			gap = true
		default:
			return false
		}
	}
	return !gap
}

// splitLink reads "name" or "name:alias".
func splitLink(link string) (name, alias string) {
	name, alias, ok := strings.Cut(link, ":")
	if !ok {
		alias = name
	}
	return name, alias
}

// specs makes ContainerSpecs. It is immutable.
type specs struct {
	dir      string  // of the engine: anonymous volumes and logs are below it
	more     Volumes // nil on a node with plain volumes only
	decorate func(*ContainerSpec)
}

func (b *specs) volumes(taskID string) string { return filepath.Join(b.dir, volumesDir, taskID) }
func (b *specs) logs(taskID string) string    { return filepath.Join(b.dir, logsDir, taskID) }

// spec is everything that the runtime needs for container i of the task. Errors are *Failure.
func (b *specs) spec(ctx context.Context, t *acs.Task, s *State, i int) (ContainerSpec, error) {
	c, id := t.Containers[i], ID(t.Arn)
	spec := ContainerSpec{
		ID: ContainerID(id, c.Name), TaskID: id, Name: c.Name, Image: c.Image, Task: *t, Container: c,
		Environment: make(map[string]string, len(c.Environment)),
		LogPath:     filepath.Join(b.logs(id), ContainerID(id, c.Name)+".json"),
	}
	maps.Copy(spec.Environment, c.Environment)
	if err := unmarshal(c.Docker.Config, &spec.Config); err != nil {
		return spec, &Failure{Name: "DockerClientConfigError", Err: err}
	}
	if c.HealthCheckType != "" && spec.Config.Healthcheck == nil {
		return spec, &Failure{Name: "DockerClientConfigError", Err: errors.New("the container has no health check of the type docker")}
	}
	if err := unmarshal(c.Docker.HostConfig, &spec.HostConfig); err != nil {
		return spec, &Failure{Name: "HostConfigError", Err: err}
	}
	spec.Labels = map[string]string{
		LabelCluster: t.ClusterArn, LabelContainer: c.Name, LabelTask: t.Arn, LabelFamily: t.Family,
		LabelRevision: t.Version,
	}
	for k, v := range spec.Config.Labels {
		if _, ours := spec.Labels[k]; !ours {
			spec.Labels[k] = v
		}
	}
	if d := s.Containers[i].Digest; d != "" {
		spec.Labels[LabelDigest] = d
	}
	if n := s.Net(c.Name); n != nil {
		spec.Sandbox = n.Sandbox
	}
	if spec.HostConfig.NetworkMode == modeNone { // disableNetworking, beside others that have the task's network
		spec.Sandbox = Sandbox{TaskID: id, Container: c.Name, Mode: modeNone, User: spec.Sandbox.User, UserBase: spec.Sandbox.UserBase}
	}
	spec.Hosts = linkHosts(t, s, i)
	var err error
	if spec.Storage, err = b.storage(ctx, t); err != nil {
		return spec, err
	}
	if spec.Mounts, err = b.mounts(ctx, t, i, map[string]bool{}); err != nil {
		return spec, err
	}
	if b.decorate != nil {
		b.decorate(&spec)
	}
	return spec, nil
}

func unmarshal(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// linkHosts are the names under which the container knows those that it links to.
func linkHosts(t *acs.Task, s *State, i int) []string {
	var hosts []string
	for _, link := range t.Containers[i].Links {
		name, alias := splitLink(link)
		if n := s.Net(name); n != nil && n.Sandbox.IPv4 != "" {
			ip, _, _ := strings.Cut(n.Sandbox.IPv4, "/")
			hosts = append(hosts, alias+":"+ip)
			if alias != name {
				hosts = append(hosts, name+":"+ip)
			}
		}
	}
	return hosts
}

// mounts resolves mount points, and with volumesFrom those of other containers (SEMANTICS §13.5). A volume without a
// source is a directory that lives as long as the task. seen guards against circles of volumesFrom.
func (b *specs) mounts(ctx context.Context, t *acs.Task, i int, seen map[string]bool) ([]Mount, error) {
	c := &t.Containers[i]
	if seen[c.Name] {
		return nil, nil
	}
	seen[c.Name] = true
	var out []Mount
	for _, m := range c.MountPoints {
		v, err := b.source(ctx, t, m.SourceVolume)
		if err != nil {
			return nil, err
		}
		out = append(out, Mount{Source: v.Source, Destination: m.ContainerPath, ReadOnly: m.ReadOnly || v.ReadOnly, Seed: v.Seed})
	}
	for _, from := range c.VolumesFrom {
		for j := range t.Containers {
			if t.Containers[j].Name != from.SourceContainer {
				continue
			}
			more, err := b.mounts(ctx, t, j, seen)
			if err != nil {
				return nil, err
			}
			for _, m := range more {
				m.ReadOnly = m.ReadOnly || from.ReadOnly
				out = append(out, m)
			}
		}
	}
	return out, nil
}

func (b *specs) source(ctx context.Context, t *acs.Task, volume string) (Volume, error) {
	invalid := func(format string, args ...any) (Volume, error) {
		return Volume{}, &Failure{Name: "InvalidVolumeError", Err: fmt.Errorf(format, args...)}
	}
	for _, v := range t.Volumes {
		switch {
		case v.Name != volume:
		case v.Type != "" && v.Type != "host":
			if b.more == nil {
				return invalid("volume %s: this node has no volumes of type %s", volume, v.Type)
			}
			return b.more.Attach(ctx, ID(t.Arn), v)
		case v.Host != nil && v.Host.SourcePath != "":
			return Volume{Source: v.Host.SourcePath}, nil
		case volume != filepath.Base(volume) || volume == "." || volume == "..":
			return invalid("volume %q: the name is no file name", volume)
		default:
			dir, err := b.storage(ctx, t)
			if err != nil {
				return Volume{}, err
			}
			if dir == "" {
				return Volume{Source: filepath.Join(b.volumes(ID(t.Arn)), volume), Seed: true}, nil
			}
			return Volume{Source: filepath.Join(dir, "volumes", volume), Seed: true}, nil
		}
	}
	return invalid("volume %q is not declared by the task", volume)
}

// storage is the directory of the task's own file system, "" if it asks for none.
func (b *specs) storage(ctx context.Context, t *acs.Task) (string, error) {
	if t.EphemeralStorage == 0 {
		return "", nil
	}
	if b.more == nil {
		return "", &Failure{Name: "ResourceInitializationError", Err: errors.New("this node has no storage of a size")}
	}
	return b.more.Storage(ctx, ID(t.Arn), t.EphemeralStorage)
}

// prepare makes the directories that a container needs: its log's, and sources of mounts that do not exist, as
// Docker does.
func prepare(spec *ContainerSpec) error {
	var errs []error
	for _, m := range spec.Mounts {
		if _, err := os.Stat(m.Source); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, os.MkdirAll(m.Source, 0o755))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &Failure{Name: "CannotCreateVolumeError", Err: err}
	}
	if spec.LogPath == "" {
		return nil
	}
	return os.MkdirAll(filepath.Dir(spec.LogPath), 0o750)
}

// discard removes what the engine's own directories hold of a task.
func (b *specs) discard(taskID string) error {
	return errors.Join(os.RemoveAll(b.volumes(taskID)), os.RemoveAll(b.logs(taskID)))
}
