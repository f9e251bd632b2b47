package task_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// [I] Container ids are TASKID-NAME where runtimes take that, and unique and legal always.
func TestContainerID(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 2)
	for name, plain := range map[string]bool{
		"app": true, "my-app_2": true, "a": true, "x__y": false, "-x": false, "x-": false, "": false,
		strings.Repeat("n", 43): true, strings.Repeat("n", 44): false, strings.Repeat("n", 255): false,
	} {
		got := task.ContainerID(id, name)
		if (got == id+"-"+name) != plain || len(got) > 76 {
			t.Errorf("%q is %q", name, got)
		}
	}
	if task.ContainerID(id, "x__y") == task.ContainerID(id, "x--y") {
		t.Error("two names, one id")
	}
}

// specs runs a task and returns what its containers were created with, by name.
func specs(t *testing.T, a acs.Task) map[string]task.ContainerSpec {
	got := map[string]task.ContainerSpec{}
	bubble(t, func(_ *testing.T, s *site) {
		made := make(chan task.ContainerSpec, 10)
		s.conf.Decorate = func(spec *task.ContainerSpec) { made <- *spec }
		l := s.start(nil)
		s.accept(l, a)
		settle()
		close(made)
		for spec := range made {
			got[spec.Name] = spec
		}
		s.end(l)
	})
	return got
}

// [D] AGENT-PROTOCOL §4.1 (labels), §1.2 (dockerConfig); SEMANTICS §13.1 (links), §13.5 (volumes).
func TestContainerSpec(t *testing.T) {
	db, web := app("db"), app("web")
	db.MountPoints = []acs.MountPoint{{SourceVolume: "data", ContainerPath: "/data"}}
	web.VolumesFrom = []acs.VolumeFrom{{SourceContainer: "db", ReadOnly: true}}
	web.Links = []string{"db:database"}
	web.Environment = map[string]string{"A": "b"}
	web.Docker.Config = `{"User":"1000","Labels":{"mine":"yes","com.amazonaws.ecs.task-arn":"a lie"}}`
	web.Docker.HostConfig = `{"ReadonlyRootfs":true}`
	a := run("t1", db, web)
	source := t.TempDir()
	a.Volumes = []acs.Volume{{Name: "data", Host: &acs.HostVolume{SourcePath: source}}}
	got := specs(t, a)["web"]
	if got.ID != "t1-web" || got.TaskID != "t1" || got.Image != "busybox" || got.Config.User != "1000" ||
		!got.HostConfig.ReadonlyRootfs || got.Environment["A"] != "b" || got.Sandbox.IPv4 == "" || got.LogPath == "" {
		t.Errorf("spec %+v", got)
	}
	labels := map[string]string{
		task.LabelCluster: "default", task.LabelContainer: "web", task.LabelTask: a.Arn, task.LabelFamily: "web",
		task.LabelRevision: "1", task.LabelDigest: "sha256:" + strings.Repeat("0", 64), "mine": "yes",
	}
	if !reflect.DeepEqual(got.Labels, labels) {
		t.Errorf("labels %v", got.Labels)
	}
	if want := []task.Mount{{Source: source, Destination: "/data", ReadOnly: true}}; !slices.Equal(got.Mounts, want) {
		t.Errorf("mounts %+v, want %+v", got.Mounts, want)
	}
	if len(got.Hosts) != 2 || !strings.HasPrefix(got.Hosts[0], "database:172.17.") || !strings.HasPrefix(got.Hosts[1], "db:172.17.") {
		t.Errorf("hosts %v", got.Hosts)
	}
}

// [D] disableNetworking gives a container a network of its own, without ports, whatever the task's is.
func TestDisableNetworking(t *testing.T) {
	for _, mode := range []string{"", "awsvpc", "host"} {
		lone, app := app("lone"), app("app")
		lone.Docker.HostConfig = `{"NetworkMode":"none"}`
		lone.PortMappings = []acs.PortMapping{{ContainerPort: 80}}
		a := run("t1", lone, app)
		a.NetworkMode = mode
		got := specs(t, a)
		if s := got["lone"].Sandbox; s.Mode != "none" || s.Path != "" || s.Bindings != nil {
			t.Errorf("mode %q: sandbox %+v", mode, s)
		}
		if s := got["app"].Sandbox; s.Mode == "none" {
			t.Errorf("mode %q: the other's sandbox %+v", mode, s)
		}
	}
}

// [D] SEMANTICS §11.2: what cannot be made has a name.
func TestContainerSpecFailures(t *testing.T) {
	for want, change := range map[string]func(*acs.Task){
		"DockerClientConfigError: ": func(a *acs.Task) { a.Containers[0].Docker.Config = "{" },
		"HostConfigError: ":         func(a *acs.Task) { a.Containers[0].Docker.HostConfig = "[]" },
		"InvalidVolumeError: ": func(a *acs.Task) {
			a.Containers[0].MountPoints = []acs.MountPoint{{SourceVolume: "nosuch", ContainerPath: "/x"}}
		},
		"InvalidVolumeError: volume v: this node has no volumes of type efs": func(a *acs.Task) {
			a.Volumes = []acs.Volume{{Name: "v", Type: "efs"}}
			a.Containers[0].MountPoints = []acs.MountPoint{{SourceVolume: "v", ContainerPath: "/x"}}
		},
		`InvalidVolumeError: volume "..": the name is no file name`: func(a *acs.Task) {
			a.Volumes = []acs.Volume{{Name: ".."}}
			a.Containers[0].MountPoints = []acs.MountPoint{{SourceVolume: "..", ContainerPath: "/x"}}
		},
	} {
		bubble(t, func(t *testing.T, s *site) {
			a := run("t1", app("app"))
			change(&a)
			l := s.start(nil)
			s.accept(l, a)
			settle()
			r := s.plane.last("t1")
			if r.Status != task.StatusStopped || !strings.HasPrefix(r.Containers[0].Reason, want) {
				t.Errorf("%+v, want %q", r, want)
			}
			s.end(l)
		})
	}
}
