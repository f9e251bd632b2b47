//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// containerStopped says whether a container of the task has stopped, with which code.
func (e *Env) containerStopped(arn, name string, code int32) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := e.Describe(ctx, arn)
		if err != nil {
			return err
		}
		for _, c := range all[0].Containers {
			if *c.Name != name || *c.LastStatus != "STOPPED" {
				continue
			}
			if c.ExitCode == nil || *c.ExitCode != code {
				return fmt.Errorf("container %s: want exit code %d: %s", name, code, story(&all[0]))
			}
			return nil
		}
		return errAgain("container " + name + " has not stopped")
	}
}

func dependsOn(t *testing.T, e *Env) {
	on := func(c types.ContainerDefinition, other string, when types.ContainerCondition) types.ContainerDefinition {
		c.DependsOn = append(c.DependsOn, types.ContainerDependency{ContainerName: &other, Condition: when})
		return c
	}
	setup := e.container("setup", "sleep=300ms", "mark=/shared/order", "exit=0")
	setup.Essential, setup.Environment = aws.Bool(false), mark("setup")
	db := on(e.container("db", "mark=/shared/order", "onterm=bye", "wait"), "setup", types.ContainerConditionSuccess)
	db.Environment = mark("db")
	// START promises that db runs, not how far it is: web gives it the time to leave its mark.
	web := on(e.container("web", "sleep=200ms", "mark=/shared/order", "onterm=bye", "wait"), "db", types.ContainerConditionStart)
	web.Environment = mark("web")
	all := []types.ContainerDefinition{web, db, setup}
	for i := range all {
		all[i].MountPoints = []types.MountPoint{{SourceVolume: aws.String("v"), ContainerPath: aws.String("/shared")}}
	}
	shared := filepath.Join(e.Dir, "order")
	arn := e.RunTask(e.Define("depends", ecs.RegisterTaskDefinitionInput{
		Volumes: []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: &shared}}},
	}, all...))
	e.AwaitStatus(arn, "RUNNING")
	var order []string
	poll(t, 10*time.Second, func(context.Context) error {
		if order = marks(filepath.Join(shared, "order")); len(order) < 3 {
			return errAgain(fmt.Sprint(order))
		}
		return nil
	})
	if !slices.Equal(order, []string{"setup", "db", "web"}) {
		t.Errorf("started in order %q", order)
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")

	bad := e.container("setup", "exit=1")
	bad.Essential = aws.Bool(false)
	arn = e.RunTask(e.Define("fails", ecs.RegisterTaskDefinitionInput{}, on(e.container("web", "wait"), "setup", types.ContainerConditionSuccess), bad))
	task := e.AwaitStatus(arn, "STOPPED")
	t.Log(story(&task))
	if reason := aws.ToString(task.Containers[0].Reason); !strings.HasPrefix(reason, "TaskDependencyError") {
		t.Errorf("the container that never started says %q", reason)
	}
	if reason := aws.ToString(task.StoppedReason); task.StopCode != types.TaskStopCodeTaskFailedToStart || reason != "Task failed to start" { // [O]
		t.Errorf("the task stopped by %s: %q", task.StopCode, reason)
	}
}

// mark is the environment that tells probes apart.
func mark(name string) []types.KeyValuePair {
	return []types.KeyValuePair{{Name: aws.String("MARK"), Value: &name}}
}

// marks are the names of those that have marked a file, in order.
func marks(path string) (out []string) {
	b, _ := os.ReadFile(path)
	for line := range strings.Lines(string(b)) {
		name, _, _ := strings.Cut(line, " ")
		out = append(out, name)
	}
	return out
}

// seen is what the probe reports of itself.
type seen struct {
	Args, Env []string
	Dir, PID1 string
	UID, GID  int
	Files     syscall.Rlimit
	Size      syscall.Rlimit
	Hostname  string
}

// look runs a task to its end and returns what its only container saw.
func (e *Env) look(definition string, change ...func(*ecs.RunTaskInput)) seen {
	e.t.Helper()
	arn := e.RunTask(definition, change...)
	task := e.AwaitStatus(arn, "STOPPED")
	var s seen
	log := e.Logs(arn)
	if err := json.Unmarshal([]byte(log[max(0, strings.IndexByte(log, '{')):]), &s); err != nil {
		e.t.Fatalf("%v: %s", err, story(&task))
	}
	return s
}

func seenInside(t *testing.T, e *Env) {
	c := e.container("c", "where", "exit=0")
	c.EntryPoint = []string{"/probe", "print=entry point"}
	c.Environment = append(mark("inside"), types.KeyValuePair{Name: aws.String("EMPTY"), Value: aws.String("")})
	c.WorkingDirectory, c.User = aws.String("/some/where"), aws.String("1234:2345")
	c.Ulimits = []types.Ulimit{{Name: types.UlimitNameNofile, SoftLimit: 512, HardLimit: 1024}, {Name: types.UlimitNameFsize, SoftLimit: 4096, HardLimit: 8192}}
	s := e.look(e.Define("inside", ecs.RegisterTaskDefinitionInput{}, c))
	t.Logf("%+v", s)
	if s.Dir != "/some/where" || s.UID != 1234 || s.GID != 2345 || s.Files.Max != 1024 || s.Size != (syscall.Rlimit{Cur: 4096, Max: 8192}) {
		t.Error("working directory, user or ulimit is not what the definition says")
	}
	if !slices.Contains(s.Env, "MARK=inside") || !slices.Contains(s.Env, "EMPTY=") || !slices.Equal(s.Args[1:], []string{"print=entry point", "where", "exit=0"}) {
		t.Error("environment or command is not what the definition says")
	}
	if !slices.Contains(s.Env, "AWS_EXECUTION_ENV=AWS_ECS_EC2") {
		t.Error("AWS_EXECUTION_ENV is missing")
	}
	if !slices.Contains(s.Env, "AWS_REGION="+region) || !slices.Contains(s.Env, "AWS_DEFAULT_REGION="+region) {
		t.Error("the Region is missing")
	}
}

func overrides(t *testing.T, e *Env) {
	c := e.container("c", "print=unchanged")
	c.Environment = append(mark("before"), types.KeyValuePair{Name: aws.String("KEPT"), Value: aws.String("yes")})
	s := e.look(e.Define("overridden", ecs.RegisterTaskDefinitionInput{}, c), func(in *ecs.RunTaskInput) {
		in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
			Name: aws.String("c"), Command: []string{"where"}, Environment: mark("after"),
		}}}
	})
	if !slices.Contains(s.Env, "MARK=after") || !slices.Contains(s.Env, "KEPT=yes") || slices.Contains(s.Env, "MARK=before") {
		t.Errorf("environment is %q", s.Env)
	}
}

func readOnly(t *testing.T, e *Env) {
	dir := filepath.Join(e.Dir, "volume")
	c := e.container("c", "write=/root-file,x", "write=/data/file,from inside", "write=/locked/file,x")
	c.ReadonlyRootFilesystem = aws.Bool(true)
	c.MountPoints = []types.MountPoint{
		{SourceVolume: aws.String("v"), ContainerPath: aws.String("/data")},
		{SourceVolume: aws.String("v"), ContainerPath: aws.String("/locked"), ReadOnly: aws.Bool(true)},
	}
	arn := e.RunTask(e.Define("readonly", ecs.RegisterTaskDefinitionInput{
		Volumes: []types.Volume{{Name: aws.String("v"), Host: &types.HostVolumeProperties{SourcePath: &dir}}},
	}, c))
	e.AwaitStatus(arn, "STOPPED")
	got := e.Logs(arn)
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "from inside" {
		t.Errorf("the host sees %q, %v", b, err)
	}
	if strings.Count(got, "write refused") != 2 || strings.Count(got, "wrote /data/file") != 1 {
		t.Errorf("log is %q", got)
	}
}

// cgroupLimits looks at the kernel's files, of both versions of cgroups.
func cgroupLimits(t *testing.T, e *Env) {
	c := e.container("c", "onterm=bye", "wait")
	c.Cpu, c.Memory, c.MemoryReservation = 128, aws.Int32(40), aws.Int32(24)
	c.DockerLabels = map[string]string{"team": "e2e"}
	c.LinuxParameters = &types.LinuxParameters{MaxSwap: aws.Int32(16), Swappiness: aws.Int32(7)}
	arn := e.RunTask(e.Define("limits", ecs.RegisterTaskDefinitionInput{Cpu: aws.String("256"), Memory: aws.String("64")}, c))
	e.AwaitStatus(arn, "RUNNING")
	for _, want := range []struct{ below, v1, v2, value, value2 string }{
		{"c", "cpu/cpu.shares", "cpu.weight", "128", ""},
		{"c", "memory/memory.limit_in_bytes", "memory.max", strconv.Itoa(40 << 20), strconv.Itoa(40 << 20)},
		{"c", "memory/memory.soft_limit_in_bytes", "memory.low", strconv.Itoa(24 << 20), strconv.Itoa(24 << 20)},
		{"c", "memory/memory.memsw.limit_in_bytes", "memory.swap.max", strconv.Itoa(56 << 20), strconv.Itoa(16 << 20)},
		{"c", "memory/memory.swappiness", "memory.max", "7", ""}, // version 2 has none
		{"", "cpu/cpu.cfs_quota_us", "cpu.max", "25000", "25000 100000"},
		{"", "memory/memory.limit_in_bytes", "memory.max", strconv.Itoa(64 << 20), strconv.Itoa(64 << 20)},
	} {
		controller, file := filepath.Split(want.v1)
		path := filepath.Join("/sys/fs/cgroup", controller, "roadstead", e.Node, id(arn), want.below, file)
		value := want.value
		if _, err := os.Stat("/sys/fs/cgroup/memory"); err != nil {
			path, value = filepath.Join("/sys/fs/cgroup/roadstead", e.Node, id(arn), want.below, want.v2), want.value2
		}
		b, err := os.ReadFile(path)
		if got := strings.TrimSpace(string(b)); err != nil || value != "" && got != value {
			t.Errorf("%s holds %q, want %q (%v)", path, got, value, err)
		}
	}
	socket := filepath.Join(e.Dir, "n", "containerd", "containerd.sock")
	out, err := exec.Command("ctr", "--address", socket, "--namespace", "roadstead-"+e.Node, "containers", "ls", "-q").Output()
	must(t, err)
	labels := ""
	for cid := range strings.FieldsSeq(string(out)) {
		if strings.Contains(cid, id(arn)) {
			b, err := exec.Command("ctr", "--address", socket, "--namespace", "roadstead-"+e.Node, "containers", "info", cid).Output()
			must(t, err)
			labels = string(b)
		}
	}
	if !strings.Contains(labels, `"team": "e2e"`) || !strings.Contains(labels, "com.amazonaws.ecs.task-arn") {
		t.Errorf("the container's labels are not there: %.600s", labels)
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}
