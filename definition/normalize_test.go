package definition_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
)

// TestRealDefinitions runs definitions in the shapes that clients send: each gives the recorded normal form, and
// registering that again changes nothing (MISSION traps 27, 28) [D].
func TestRealDefinitions(t *testing.T) {
	files, err := filepath.Glob("testdata/register-*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "register-"), ".json")
		t.Run(name, func(t *testing.T) {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			td := normalize(t, string(doc))
			golden(t, "normal-"+name+".json", text(t, compact(td)))
			twice, err := again(td)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(td, twice) {
				t.Errorf("registered again it is\n%s, was\n%s", text(t, compact(twice)), text(t, compact(td)))
			}
		})
	}
}

// compact drops what is absent, so that golden files read like describe outputs.
func compact(v any) any {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Pointer, reflect.Interface:
		return compact(rv.Elem().Interface())
	case reflect.Slice:
		list := make([]any, rv.Len())
		for i := range list {
			list[i] = compact(rv.Index(i).Interface())
		}
		return list
	case reflect.Struct:
		m := map[string]any{}
		for i := range rv.NumField() {
			f, fv := rv.Type().Field(i), rv.Field(i)
			if !f.IsExported() || fv.IsZero() && fv.Kind() != reflect.Int32 || f.Name == "Revision" {
				continue
			}
			m[strings.ToLower(f.Name[:1])+f.Name[1:]] = compact(fv.Interface())
		}
		return m
	default:
		return v
	}
}

// TestEveryMemberIsKept sets every member of a registration and of a container to its normal form and checks that none
// is dropped on the way to the definition [D]. A member that is new in the SDK breaks this test, not users.
func TestEveryMemberIsKept(t *testing.T) {
	exercised := map[string]bool{"Tags": true} // they belong to the row
	for _, in := range []*ecs.RegisterTaskDefinitionInput{full(), mesh()} {
		td, err := definition.Normalize(in)
		if err != nil {
			t.Fatal(err)
		}
		inputs, def := reflect.ValueOf(*in), reflect.ValueOf(td)
		for i := range inputs.NumField() {
			name := inputs.Type().Field(i).Name
			if inputs.Field(i).IsZero() || name == "Tags" {
				continue
			}
			exercised[name] = true
			got := def.FieldByName(name)
			if !got.IsValid() || !reflect.DeepEqual(got.Interface(), inputs.Field(i).Interface()) {
				t.Errorf("member %s is\n%v, want\n%v", name, got, inputs.Field(i))
			}
		}
		twice, err := again(td)
		if err != nil || !reflect.DeepEqual(td, twice) {
			t.Errorf("registered again it is %s (%v)", text(t, compact(twice)), err)
		}
	}
	in := full()
	checkExercised(t, "", reflect.TypeOf(*in), func(name string) bool { return exercised[name] })
	app := reflect.ValueOf(in.ContainerDefinitions[0])
	checkExercised(t, "ContainerDefinition.", app.Type(), func(name string) bool { return !app.FieldByName(name).IsZero() })
}

func checkExercised(t *testing.T, prefix string, typ reflect.Type, ok func(string) bool) {
	t.Helper()
	for f := range typ.Fields() {
		if f.IsExported() && !ok(f.Name) {
			t.Errorf("member %s%s is not exercised", prefix, f.Name)
		}
	}
}

// mesh is a registration with a proxy, which does not go with full's links and bridge.
func mesh() *ecs.RegisterTaskDefinitionInput {
	return &ecs.RegisterTaskDefinitionInput{
		Family: new("mesh"), NetworkMode: types.NetworkModeAwsvpc, PlacementConstraints: []types.TaskDefinitionPlacementConstraint{},
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: new("envoy"), Image: new("envoy"), Memory: new(int32(64)), Essential: new(true), Environment: []types.KeyValuePair{},
			MountPoints: []types.MountPoint{}, VolumesFrom: []types.VolumeFrom{}, PortMappings: []types.PortMapping{}, SystemControls: []types.SystemControl{},
		}},
		ProxyConfiguration: &types.ProxyConfiguration{
			ContainerName: new("envoy"), Type: types.ProxyConfigurationTypeAppmesh, Properties: []types.KeyValuePair{
				{Name: new("IgnoredUID"), Value: new("1337")}, {Name: new("ProxyIngressPort"), Value: new("15000")}, {Name: new("ProxyEgressPort"), Value: new("15001")},
				{Name: new("AppPorts"), Value: new("8080")},
			},
		},
	}
}

// full is a registration with every member set but the proxy, already in its normal form.
func full() *ecs.RegisterTaskDefinitionInput {
	app := types.ContainerDefinition{
		Command: []string{"run"}, Cpu: 128, CredentialSpecs: []string{"credentialspec:arn:aws:s3:::b/spec"},
		DependsOn:         []types.ContainerDependency{{ContainerName: new("side"), Condition: types.ContainerConditionStart}},
		DisableNetworking: new(false), DnsSearchDomains: []string{"corp"}, DnsServers: []string{"10.0.0.2"},
		DockerLabels: map[string]string{"team": "x"}, DockerSecurityOptions: []string{"no-new-privileges"}, EntryPoint: []string{"/init"},
		Environment:           []types.KeyValuePair{{Name: new("A"), Value: new("1")}},
		EnvironmentFiles:      []types.EnvironmentFile{{Type: types.EnvironmentFileTypeS3, Value: new("arn:aws:s3:::b/a.env")}},
		Essential:             new(true),
		ExtraHosts:            []types.HostEntry{{Hostname: new("db"), IpAddress: new("10.0.0.3")}},
		FirelensConfiguration: &types.FirelensConfiguration{Type: types.FirelensConfigurationTypeFluentbit, Options: map[string]string{"enable-ecs-log-metadata": "true"}},
		HealthCheck:           &types.HealthCheck{Command: []string{"CMD", "true"}, Interval: new(int32(30)), Timeout: new(int32(5)), Retries: new(int32(3)), StartPeriod: new(int32(10))},
		Hostname:              new("app"), Image: new("nginx:1"), Interactive: new(true), Links: []string{"side:s"},
		LinuxParameters: &types.LinuxParameters{
			Capabilities: &types.KernelCapabilities{Add: []string{"NET_ADMIN"}, Drop: []string{"ALL"}},
			Devices:      []types.Device{{HostPath: new("/dev/fuse"), ContainerPath: new("/dev/fuse"), Permissions: []types.DeviceCgroupPermission{types.DeviceCgroupPermissionRead}}},
			MaxSwap:      new(int32(64)), SharedMemorySize: new(int32(64)), Swappiness: new(int32(10)), InitProcessEnabled: new(true),
			Tmpfs: []types.Tmpfs{{ContainerPath: new("/tmp"), Size: 16, MountOptions: []string{"noexec"}}},
		},
		LogConfiguration: &types.LogConfiguration{
			LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "g", "awslogs-region": "us-east-1"},
			SecretOptions: []types.Secret{{Name: new("x"), ValueFrom: new("p")}},
		},
		Memory: new(int32(128)), MemoryReservation: new(int32(64)),
		MountPoints:  []types.MountPoint{{SourceVolume: new("data"), ContainerPath: new("/data"), ReadOnly: new(false)}},
		Name:         new("app"),
		PortMappings: []types.PortMapping{{ContainerPort: new(int32(80)), HostPort: new(int32(0)), Protocol: types.TransportProtocolTcp, Name: new("http"), AppProtocol: types.ApplicationProtocolHttp}},
		Privileged:   new(true), PseudoTerminal: new(true), ReadonlyRootFilesystem: new(true),
		RepositoryCredentials: &types.RepositoryCredentials{CredentialsParameter: new("arn:aws:secretsmanager:us-east-1:1:secret:s")},
		ResourceRequirements: []types.ResourceRequirement{{Type: types.ResourceTypeGpu, SharingStrategy: &types.SharingStrategyMemberNvidiaMps{
			Value: types.NvidiaMpsAllocation{Memory: new(int32(1024)), MaxComputePercent: new(int32(50))},
		}}},
		RestartPolicy: &types.ContainerRestartPolicy{Enabled: new(true), IgnoredExitCodes: []int32{3}, RestartAttemptPeriod: new(int32(60))},
		Secrets:       []types.Secret{{Name: new("S"), ValueFrom: new("arn:aws:secretsmanager:us-east-1:1:secret:s")}},
		StartTimeout:  new(int32(20)), StopTimeout: new(int32(20)),
		SystemControls: []types.SystemControl{{Namespace: new("net.core.somaxconn"), Value: new("1024")}},
		Ulimits:        []types.Ulimit{{Name: types.UlimitNameNofile, SoftLimit: 1024, HardLimit: 4096}},
		User:           new("1000:1000"), VersionConsistency: types.VersionConsistencyDisabled,
		VolumesFrom: []types.VolumeFrom{{SourceContainer: new("side"), ReadOnly: new(true)}}, WorkingDirectory: new("/srv"),
	}
	side := types.ContainerDefinition{
		Name: new("side"), Image: new("busybox@sha256:" + strings.Repeat("a", 64)), Memory: new(int32(6)), Essential: new(false),
		Environment: []types.KeyValuePair{}, MountPoints: []types.MountPoint{}, VolumesFrom: []types.VolumeFrom{},
		PortMappings: []types.PortMapping{}, SystemControls: []types.SystemControl{},
		ResourceRequirements: []types.ResourceRequirement{{Type: types.ResourceTypeInferenceAccelerator, Value: new("eia")}},
	}
	return &ecs.RegisterTaskDefinitionInput{
		Family: new("full"), ContainerDefinitions: []types.ContainerDefinition{app, side}, Cpu: new("512"), Memory: new("1024"),
		EnableFaultInjection: new(false), EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 21},
		ExecutionRoleArn: new("arn:aws:iam::1:role/e"), TaskRoleArn: new("r"), IpcMode: types.IpcModeTask, PidMode: types.PidModeTask,
		InferenceAccelerators:   []types.InferenceAccelerator{{DeviceName: new("eia"), DeviceType: new("eia2.medium")}},
		NetworkMode:             types.NetworkModeBridge,
		PlacementConstraints:    []types.TaskDefinitionPlacementConstraint{{Type: "memberOf", Expression: new("attribute:ecs.os-type == linux")}},
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityEc2},
		RuntimePlatform:         &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureX8664, OperatingSystemFamily: types.OSFamilyLinux},
		Tags:                    []types.Tag{{Key: new("k"), Value: new("v")}},
		Volumes: []types.Volume{
			{Name: new("data"), Host: &types.HostVolumeProperties{SourcePath: new("/srv/data")}},
			{Name: new("docker"), DockerVolumeConfiguration: &types.DockerVolumeConfiguration{Autoprovision: new(true), Driver: new("rexray"), DriverOpts: map[string]string{"a": "b"}, Labels: map[string]string{"c": "d"}, Scope: types.ScopeShared}},
			{Name: new("efs"), EfsVolumeConfiguration: &types.EFSVolumeConfiguration{FileSystemId: new("fs-1"), RootDirectory: new("/"), TransitEncryption: types.EFSTransitEncryptionEnabled, TransitEncryptionPort: new(int32(2049)), AuthorizationConfig: &types.EFSAuthorizationConfig{AccessPointId: new("fsap-1"), Iam: types.EFSAuthorizationConfigIAMEnabled}}},
			{Name: new("fsx"), FsxWindowsFileServerVolumeConfiguration: &types.FSxWindowsFileServerVolumeConfiguration{FileSystemId: new("fs-2"), RootDirectory: new("share"), AuthorizationConfig: &types.FSxWindowsFileServerAuthorizationConfig{CredentialsParameter: new("arn"), Domain: new("corp")}}},
			{Name: new("s3"), S3filesVolumeConfiguration: &types.S3FilesVolumeConfiguration{FileSystemArn: new("arn:aws:s3files:x"), RootDirectory: new("/a"), TransitEncryptionPort: new(int32(2049))}},
			{Name: new("ebs"), ConfiguredAtLaunch: new(true)},
		},
	}
}

// TestNormalizeDoesNotModifyItsInput: callers hash and store what they got [I].
func TestNormalizeDoesNotModifyItsInput(t *testing.T) {
	doc := `{"family":"f","cpu":"1 vCPU","containerDefinitions":[{"name":"a","image":"i","memory":8,"portMappings":[{"containerPort":80}],
		"healthCheck":{"command":["CMD","x"]}}],"volumes":[{"name":"v","dockerVolumeConfiguration":{}}]}`
	in, same := input(t, doc), input(t, doc)
	if _, err := definition.Normalize(in); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, same) {
		t.Errorf("input is now\n%s", text(t, in))
	}
}

// TestSizes: task cpu and memory become integers as text (SEMANTICS §2.4) [D].
func TestSizes(t *testing.T) {
	for _, c := range []struct{ cpu, memory, wantCPU, wantMemory string }{
		{"1024", "2048", "1024", "2048"},
		{"1 vCPU", "1 GB", "1024", "1024"},
		{"1vcpu", "1GB", "1024", "1024"},
		{".5 vCPU", "0.5gb", "512", "512"},
		{"0.25 VCPU", "2 Gb", "256", "2048"},
		{" 192 vCPU ", "30 GB", "196608", "30720"},
		{"0.125 vCPU", "6", "128", "6"},
	} {
		td := normalize(t, `{"family":"f","cpu":"`+c.cpu+`","memory":"`+c.memory+`","containerDefinitions":[{"name":"a","image":"i"}]}`)
		if *td.Cpu != c.wantCPU || *td.Memory != c.wantMemory {
			t.Errorf("%s, %s is %s, %s", c.cpu, c.memory, *td.Cpu, *td.Memory)
		}
	}
}

// TestPortDefaults: host ports and protocols are filled by network mode (SEMANTICS §2.4) [D]; 0 in bridge [O].
func TestPortDefaults(t *testing.T) {
	for _, c := range []struct {
		mode, mapping string
		host          int32
		protocol      types.TransportProtocol
	}{
		{"awsvpc", `{"containerPort":80}`, 80, "tcp"},
		{"awsvpc", `{"containerPort":80,"hostPort":0,"protocol":"udp"}`, 80, "udp"},
		{"host", `{"containerPort":80}`, 80, "tcp"},
		{"bridge", `{"containerPort":80,"protocol":"TCP"}`, 0, "tcp"},
		{"bridge", `{"containerPort":80,"hostPort":8080}`, 8080, "tcp"},
	} {
		td := normalize(t, `{"family":"f","networkMode":"`+c.mode+`","containerDefinitions":[{"name":"a","image":"i","memory":8,"portMappings":[`+c.mapping+`]}]}`)
		p := td.ContainerDefinitions[0].PortMappings[0]
		if p.HostPort == nil || *p.HostPort != c.host || p.Protocol != c.protocol {
			t.Errorf("%s %s is %s", c.mode, c.mapping, text(t, p))
		}
	}
	td := normalize(t, `{"family":"f","containerDefinitions":[{"name":"a","image":"i","memory":8,"portMappings":[{"containerPortRange":"8000-8010"}]}]}`)
	if p := td.ContainerDefinitions[0].PortMappings[0]; p.HostPort != nil || p.ContainerPort != nil || p.Protocol != "tcp" {
		t.Errorf("range is %s", text(t, p))
	}
}
