package definition_test

import (
	"fmt"
	"reflect"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
)

// maybe draws a value in half of the cases.
func maybe[T any](t *rapid.T, label string, g *rapid.Generator[T]) *T {
	if !rapid.Bool().Draw(t, label+" given") {
		return nil
	}
	return new(g.Draw(t, label))
}

func pick[T any](t *rapid.T, label string, of ...T) T { return rapid.SampledFrom(of).Draw(t, label) }

// anyPort draws a mapping, often a valid one.
func anyPort(t *rapid.T, n int) types.PortMapping {
	p := types.PortMapping{Protocol: pick[types.TransportProtocol](t, "protocol", "", "tcp", "udp", "TCP")}
	if pick(t, "range", false, false, true) {
		p.ContainerPortRange = new(fmt.Sprintf("%d-%d", 1000*n+100, 1000*n+110))
		return p
	}
	port := int32(1000*n + rapid.IntRange(0, 90).Draw(t, "port") + 1)
	p.ContainerPort = &port
	p.HostPort = pick(t, "host port", nil, new(int32(0)), new(port), new(port+1))
	return p
}

func anyContainer(t *rapid.T, n int) types.ContainerDefinition {
	c := types.ContainerDefinition{
		Name: new("c" + strconv.Itoa(n)), Image: new("i"), Cpu: pick[int32](t, "cpu", 0, 64),
		Memory: maybe(t, "memory", rapid.Int32Range(6, 256)), MemoryReservation: maybe(t, "reservation", rapid.Int32Range(4, 8)),
		Essential: pick(t, "essential", nil, new(true), new(n == 0)), ReadonlyRootFilesystem: maybe(t, "readonly", rapid.Bool()),
		StopTimeout: maybe(t, "stop", rapid.Int32Range(0, 130)), Command: pick(t, "command", nil, []string{}, []string{"x"}),
		Environment: pick(t, "environment", nil, []types.KeyValuePair{}, []types.KeyValuePair{{Name: new("B"), Value: new("")}, {Name: new("A")}}),
		Ulimits:     pick(t, "ulimits", nil, []types.Ulimit{}, []types.Ulimit{{Name: "nofile", SoftLimit: 1, HardLimit: 2}}),
		Secrets:     pick(t, "secrets", nil, []types.Secret{}), User: pick(t, "user", nil, new(""), new("0")),
	}
	if rapid.Bool().Draw(t, "health") {
		c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "x"}, Interval: maybe(t, "interval", rapid.Int32Range(5, 300)), StartPeriod: maybe(t, "start", rapid.Int32Range(0, 300))}
	}
	if rapid.Bool().Draw(t, "restart") {
		c.RestartPolicy = &types.ContainerRestartPolicy{Enabled: new(rapid.Bool().Draw(t, "on")), RestartAttemptPeriod: maybe(t, "period", rapid.Int32Range(60, 1800))}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "ports") {
		c.PortMappings = append(c.PortMappings, anyPort(t, 2*n+i))
	}
	if n > 0 && rapid.Bool().Draw(t, "depends") {
		c.DependsOn = []types.ContainerDependency{{ContainerName: new("c0"), Condition: pick[types.ContainerCondition](t, "condition", "START", "HEALTHY", "SUCCESS")}}
	}
	if rapid.Bool().Draw(t, "mounts") {
		c.MountPoints = []types.MountPoint{{SourceVolume: new("v"), ContainerPath: new("/v")}}
	}
	return c
}

func anyInput(t *rapid.T) *ecs.RegisterTaskDefinitionInput {
	in := &ecs.RegisterTaskDefinitionInput{
		Family: new("f"), NetworkMode: pick[types.NetworkMode](t, "network", "", "bridge", "host", "awsvpc", "none"),
		Cpu: pick(t, "cpu", nil, new("256"), new("1 vCPU"), new(".5 vcpu")), Memory: pick(t, "memory", nil, new("1024"), new("2 GB"), new("0.5GB")),
		RequiresCompatibilities: pick(t, "requires", nil, []types.Compatibility{}, []types.Compatibility{"EC2"}, []types.Compatibility{"FARGATE"}),
		TaskRoleArn:             pick(t, "role", nil, new("r")), ExecutionRoleArn: pick(t, "execution role", nil, new("r")),
		PidMode: pick[types.PidMode](t, "pid", "", "", "task"), EnableFaultInjection: maybe(t, "faults", rapid.Bool()),
		Volumes: []types.Volume{pick(t, "volume",
			types.Volume{Name: new("v")}, types.Volume{Name: new("v"), Host: &types.HostVolumeProperties{}},
			types.Volume{Name: new("v"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{}},
			types.Volume{Name: new("v"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Autoprovision: new(false)}},
			types.Volume{Name: new("v"), ConfiguredAtLaunch: new(true)})},
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "containers") {
		in.ContainerDefinitions = append(in.ContainerDefinitions, anyContainer(t, i))
	}
	return in
}

// TestNormalFormIsStable: whatever is registered reads back as something that registers as itself, and everything that
// is accepted can be reserved for and rendered (MISSION traps 27, 28) [D].
func TestNormalFormIsStable(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		td, err := definition.Normalize(in)
		if err != nil {
			if model.ErrorCode(err) == "" {
				t.Fatalf("refused without a code: %v", err)
			}
			refused++
			return
		}
		accepted++
		twice, err := again(td)
		if err != nil {
			t.Fatalf("normal form is refused: %v", err)
		}
		if !reflect.DeepEqual(td, twice) {
			t.Fatalf("normal form changes: %+v, was %+v", twice, td)
		}
		effective, err := definition.Apply(&td, &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: new("c0"), Environment: []types.KeyValuePair{{Name: new("A"), Value: new("1")}}}}})
		if err != nil {
			t.Fatalf("override: %v", err)
		}
		if r := definition.Reserve(effective); r.CPU < 0 || r.Memory < 1 {
			t.Fatalf("reserves %+v", r)
		}
		if p, err := definition.Payload(placed(effective, "EC2"), effective, definition.Around{}); (err != nil) != (definition.Undeliverable(effective) != "") {
			t.Fatalf("payload %+v, %v", p, err)
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d accepted, %d refused: the generator proves nothing", accepted, refused)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}
