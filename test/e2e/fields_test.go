//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestFields runs definitions that have many members, through the whole of Roadstead: agent/runtime's tests look at each closely
// (docs/container-fields.md).
func TestFields(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gpu := filepath.Join(dir, "gpu")
	must(t, syscall.Mknod(gpu, syscall.S_IFCHR|0o666, 1<<8|5)) // /dev/zero, for one that nobody has
	must(t, os.Mkdir(filepath.Join(dir, "efs"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "efs", "theirs"), []byte("from EFS"), 0o600))
	e := NewPair(t, "--fargate", "--efs", "fs-1="+filepath.Join(dir, "efs"), "--gpu", "GPU-fake="+gpu)
	for name, test := range map[string]func(*testing.T, *Env){
		"volumes, links, GPU, init, shared processes": func(t *testing.T, e *Env) { manyFields(t, e, gpu) },
		"FARGATE is kept apart":                       fargateApart,
		"what a node does not have is refused":        refusedOnNode,
		"no network, and a start that takes too long": loneAndLate,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := *e
			mine.t = t
			test(t, &mine)
		})
	}
}

// TestFieldsSurviveKills kills the agent while tasks with volumes, shared namespaces and storage of their own are being made, and
// containerd while they run: they come up, go on, and leave nothing.
func TestFieldsSurviveKills(t *testing.T) {
	t.Parallel()
	e := NewPair(t, "--fargate", "--cleanup-after", "1ms", "--efs", t.TempDir())
	app := e.container("app", "write=/v/x,mine", "tick=50ms")
	app.MountPoints = []types.MountPoint{mount("v", "/v")}
	side := e.container("side", "wait=0")
	side.VolumesFrom = []types.VolumeFrom{{SourceContainer: aws.String("app")}}
	many := e.Define("many", ecs.RegisterTaskDefinitionInput{PidMode: types.PidModeTask, IpcMode: types.IpcModeTask, Volumes: []types.Volume{
		dockerVolume("v", types.ScopeShared, func(c *types.DockerVolumeConfiguration) {
			c.Autoprovision, c.DriverOpts = aws.Bool(true), map[string]string{"type": "tmpfs", "device": "tmpfs"}
		}),
	}}, app, side)
	apart := e.Define("apart", ecs.RegisterTaskDefinitionInput{
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, NetworkMode: types.NetworkModeAwsvpc, PidMode: types.PidModeTask,
		Cpu: aws.String("256"), Memory: aws.String("512"), Volumes: []types.Volume{{Name: aws.String("v")}}, EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 21},
	}, app, side)
	var arns []string
	for range 2 {
		arns = append(arns, e.RunTask(many), e.RunTask(apart, inVPC, func(in *ecs.RunTaskInput) { in.LaunchType = types.LaunchTypeFargate }))
	}
	for range 4 {
		<-time.After(150 * time.Millisecond)
		e.Agent.Kill9()
		e.Agent.again()
	}
	e.AwaitAll(arns, "RUNNING")
	e.killContainerd(filepath.Join(e.Dir, "n", "containerd"))
	e.AwaitAll(arns, "RUNNING")
	for _, arn := range arns {
		e.AwaitLog(arn, "tick 5")
	}
	each(arns, 4, e.StopTask)
	e.AwaitAll(arns, "STOPPED")
	poll(t, patience, func(context.Context) error {
		for what, n := range e.Leftovers().ofTasks() {
			if n > 0 {
				return errAgain(fmt.Sprintf("%d %s are left: %s", n, what, e.Leftovers()))
			}
		}
		return nil
	})
}

func mount(volume, path string) types.MountPoint {
	return types.MountPoint{SourceVolume: &volume, ContainerPath: &path}
}

func dockerVolume(name string, scope types.Scope, change func(*types.DockerVolumeConfiguration)) types.Volume {
	c := &types.DockerVolumeConfiguration{Scope: scope, Driver: aws.String("local")}
	if change != nil {
		change(c)
	}
	return types.Volume{Name: &name, DockerVolumeConfiguration: c}
}

func efsVolume(id string) types.Volume {
	return types.Volume{Name: aws.String("efs"), EfsVolumeConfiguration: &types.EFSVolumeConfiguration{FileSystemId: &id}}
}

func manyFields(t *testing.T, e *Env, gpu string) {
	db := e.container("db", "serve=:8080", "wait=0")
	web := e.container("web", "dial=database:8080", "write=/shared/x,hello", "write=/fast/y,quick", "write=/scratch/z,brief", "read=/fast", "read=/efs/theirs",
		"read="+gpu, "env=NVIDIA_VISIBLE_DEVICES", "read=/proc/1/comm", "read=/mine", "print=web is done", "wait=0")
	web.Links = []string{"db:database"}
	web.MountPoints = []types.MountPoint{mount("shared", "/shared"), mount("fast", "/fast"), mount("scratch", "/scratch"), mount("efs", "/efs")}
	web.ResourceRequirements = []types.ResourceRequirement{{Type: types.ResourceTypeGpu, Value: aws.String("1")}}
	web.LinuxParameters = &types.LinuxParameters{
		InitProcessEnabled: aws.Bool(true), Tmpfs: []types.Tmpfs{{ContainerPath: aws.String("/mine"), Size: 1, MountOptions: []string{"mode=700"}}},
	}
	side := e.container("side", "read=/shared/x", "write=/shared/no,x", "read=/fast/y", "read=/scratch/z", "read="+gpu, "print=side is done", "wait=0")
	side.VolumesFrom = []types.VolumeFrom{{SourceContainer: aws.String("web"), ReadOnly: aws.Bool(true)}}
	side.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("web"), Condition: types.ContainerConditionHealthy}}
	web.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/probe", "there=/scratch/z"}, Interval: aws.Int32(5)}
	in := ecs.RegisterTaskDefinitionInput{PidMode: types.PidModeTask, Volumes: []types.Volume{
		dockerVolume("shared", types.ScopeShared, func(c *types.DockerVolumeConfiguration) { c.Autoprovision = aws.Bool(true) }),
		dockerVolume("fast", types.ScopeTask, func(c *types.DockerVolumeConfiguration) {
			c.DriverOpts = map[string]string{"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=711"}
		}),
		{Name: aws.String("scratch")}, efsVolume("fs-1"),
	}}
	arn := e.RunTask(e.Define("fields", in, db, web, side))
	out := e.AwaitLog(arn, "side is done")
	for _, want := range []string{
		"reached database:8080", "wrote /shared/x", "/fast 0:0 711:", "/efs/theirs 0:0 600: from EFS", gpu + " 0:0 644:", "NVIDIA_VISIBLE_DEVICES=GPU-fake",
		": init", "/mine 0:0 700:", "/shared/x 0:0 644: hello", "write refused: open /shared/no: read-only file system",
		"/fast/y 0:0 644: quick", "/scratch/z 0:0 644: brief", "not read: " + gpu,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	e.StopTask(arn)
	e.ends(arn, types.TaskStopCodeUserInitiated, "the test has seen enough", 0)

	later := e.container("later", "read=/s/x", "exit=0")
	later.MountPoints = []types.MountPoint{mount("shared", "/s")}
	arn = e.RunTask(e.Define("later", ecs.RegisterTaskDefinitionInput{Volumes: []types.Volume{dockerVolume("shared", types.ScopeShared, nil)}}, later))
	e.ends(arn, types.TaskStopCodeEssentialContainerExited, exited, 0)
	if out := e.Logs(arn); out != "/s/x 0:0 644: hello" {
		t.Errorf("a shared volume has %q", out)
	}
}

func fargateApart(t *testing.T, e *Env) {
	app := e.container("app", "read=/proc/self/uid_map", "write=/scratch/x,mine", "read=/scratch/x", "read=/efs/theirs", "write=/efs/new,x", "read=/efs/new",
		"read=/etc/hosts", "metadata=/task", "room=/", "room=/scratch", "serve=:80", "print=app is done", "wait=0")
	app.MountPoints = []types.MountPoint{mount("scratch", "/scratch"), mount("efs", "/efs")}
	app.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/probe", "there=/scratch/x"}, Interval: aws.Int32(5)}
	side := e.container("side", "dial=127.0.0.1:80", "read=/scratch/x", "print=side is done", "wait=0")
	side.MountPoints, side.Essential = []types.MountPoint{mount("scratch", "/scratch")}, aws.Bool(false)
	in := ecs.RegisterTaskDefinitionInput{
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, NetworkMode: types.NetworkModeAwsvpc,
		Cpu: aws.String("256"), Memory: aws.String("512"), PidMode: types.PidModeTask, Volumes: []types.Volume{{Name: aws.String("scratch")}, efsVolume("fs-1")},
		EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 30},
	}
	arn := e.RunTask(e.Define("apart", in, app, side), inVPC, func(in *ecs.RunTaskInput) {
		in.LaunchType, in.PlatformVersion = types.LaunchTypeFargate, aws.String("1.3.0")
	})
	e.AwaitLog(arn, "app is done")
	out := e.AwaitLog(arn, "side is done")
	for _, want := range []string{
		"0 1073741824 65536", "/scratch/x 0:0 644: mine", "/efs/theirs 0:0 600: from EFS", "/efs/new 0:0 644: x", "/etc/hosts 0:0 644:", "200 {", "/ has 30 GiB", "/scratch has 30 GiB", "reached 127.0.0.1:80",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	began := time.Now()
	for task := e.AwaitStatus(arn, "RUNNING"); task.HealthStatus != types.HealthStatusHealthy; task = e.AwaitStatus(arn, "RUNNING") {
		if time.Since(began) > patience {
			t.Fatalf("its health is %s", task.HealthStatus)
		}
	}
	e.StopTask(arn)
	e.ends(arn, types.TaskStopCodeUserInitiated, "the test has seen enough", 0)
}

func loneAndLate(t *testing.T, e *Env) {
	late := e.container("late", "wait=0")
	late.Essential, late.StartTimeout = aws.Bool(false), aws.Int32(2)
	late.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "/probe", "there=/never"}, Interval: aws.Int32(5)}
	app := e.container("app", "print=too early", "exit=0")
	app.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("late"), Condition: types.ContainerConditionHealthy}}
	waits := e.RunTask(e.Define("late", ecs.RegisterTaskDefinitionInput{}, app, late))

	lone := e.container("lone", "read=/proc/net/dev", "exit=0")
	lone.DisableNetworking = aws.Bool(true)
	arn := e.RunTask(e.Define("lone", ecs.RegisterTaskDefinitionInput{}, lone))
	e.ends(arn, types.TaskStopCodeEssentialContainerExited, exited, 0)
	if out := e.Logs(arn); !strings.Contains(out, "lo:") || strings.Contains(out, "eth0") {
		t.Errorf("its network: %s", out)
	}
	task := e.ends(waits, types.TaskStopCodeTaskFailedToStart, "", 143)
	if got := aws.ToString(task.Containers[0].Reason); got != "TaskDependencyError: dependency late did not reach HEALTHY within its start timeout of 2 s" {
		t.Errorf("reason %q", got)
	}
}

func refusedOnNode(t *testing.T, e *Env) {
	c := e.container("c", "exit=0")
	c.MountPoints = []types.MountPoint{mount("efs", "/v")}
	for want, volume := range map[string]types.Volume{
		"ResourceInitializationError: file system fs-2: this node has no directory for it": efsVolume("fs-2"),
		"CannotCreateVolumeError: volume efs does not exist on this node":                  dockerVolume("efs", types.ScopeShared, nil),
	} {
		arn := e.RunTask(e.Define("refused", ecs.RegisterTaskDefinitionInput{Volumes: []types.Volume{volume}}, c))
		task := e.ends(arn, types.TaskStopCodeTaskFailedToStart, strings.SplitN(want, " ", 2)[0], -1)
		if got := aws.ToString(task.Containers[0].Reason); !strings.HasPrefix(got, want) {
			t.Errorf("reason %q, want %q", got, want)
		}
	}
	ctx, cancel := within(patience)
	defer cancel()
	plugin := dockerVolume("efs", types.ScopeShared, func(c *types.DockerVolumeConfiguration) { c.Driver = aws.String("rexray") })
	out, err := e.ECS.RunTask(ctx, &ecs.RunTaskInput{TaskDefinition: aws.String(e.Define("plugin", ecs.RegisterTaskDefinitionInput{Volumes: []types.Volume{plugin}}, c))})
	must(t, err)
	if len(out.Tasks) > 0 || len(out.Failures) != 1 || *out.Failures[0].Reason != "ATTRIBUTE" {
		t.Errorf("a volume of a driver that is not here: %d tasks, %s", len(out.Tasks), fmt.Sprint(failures(out.Failures)))
	}
}
