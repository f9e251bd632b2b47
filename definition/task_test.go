package definition_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
)

func overrides(t *testing.T, doc string) *types.TaskOverride {
	t.Helper()
	var o types.TaskOverride
	if err := json.Unmarshal([]byte(doc), &o); err != nil {
		t.Fatal(err)
	}
	return &o
}

// TestApply: overrides make the effective definition and leave the row's alone (SEMANTICS §2.5, §4.7, §11.5) [D].
func TestApply(t *testing.T) {
	def := normalize(t, task(`"cpu":"512","memory":"1 GB"`, `"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}],"command":["x"]`))
	before := text(t, def)
	got, err := definition.Apply(&def, overrides(t, `{"cpu":"1 vCPU","memory":"2048","taskRoleArn":"t","executionRoleArn":"e","ephemeralStorage":{"sizeInGiB":40},
		"containerOverrides":[{"name":"a","command":["y","z"],"cpu":700,"memory":128,"memoryReservation":100,
		"environment":[{"name":"C","value":"3"},{"name":"A","value":"9"}],"resourceRequirements":[{"type":"GPU","value":"2"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if text(t, def) != before {
		t.Error("the definition itself was changed")
	}
	c := got.ContainerDefinitions[0]
	env := ""
	for _, e := range c.Environment {
		env += *e.Name + *e.Value
	}
	is := fmt.Sprint(*got.Cpu, *got.Memory, *got.TaskRoleArn, *got.ExecutionRoleArn, got.EphemeralStorage.SizeInGiB, c.Command, c.Cpu, *c.Memory, *c.MemoryReservation, env)
	if want := "10242048te40 [y z] 700 128 100A9B2C3"; strings.ReplaceAll(is, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("effective %s, want %s", is, want)
	}
	if r := definition.Reserve(got); r.CPU != 1024 || r.Memory != 2048 || r.GPU.Count != 2 {
		t.Errorf("reserves %+v", r)
	}
}

// TestApplyNothing: no overrides, or empty ones, change nothing (SEMANTICS §2.5) [D].
func TestApplyNothing(t *testing.T) {
	def := normalize(t, ec2(`"command":["x"]`))
	for _, o := range []*types.TaskOverride{nil, {}, overrides(t, `{"containerOverrides":[]}`), overrides(t, `{"containerOverrides":[{}]}`), overrides(t, `{"containerOverrides":[{"name":"a","command":[]}]}`)} {
		got, err := definition.Apply(&def, o)
		if err != nil || !reflect.DeepEqual(*got, def) {
			t.Errorf("%s gives %s, %v", text(t, o), text(t, got), err)
		}
	}
}

// TestOverrideErrors: overrides are refused as parameters of the launch (SEMANTICS §12).
func TestOverrideErrors(t *testing.T) {
	def := normalize(t, task(`"executionRoleArn":"r","cpu":"512","memory":"1024"`, `"secrets":[{"name":"S","valueFrom":"p"}]`))
	serverless := normalize(t, fargate("", ""))
	for _, c := range []struct {
		rule string
		def  *types.TaskDefinition
		doc  string
		want string
	}{
		{"unknown container [O]", &def, `{"containerOverrides":[{"name":"x"}]}`, "Override for container named x is not a container in the TaskDefinition."},
		{"8192 characters [O]", &def, `{"containerOverrides":[{"name":"a","command":["` + strings.Repeat("x", 8192) + `"]}]}`, "Container Overrides length must be at most 8192"},
		{"secret as variable [O]", &def, `{"containerOverrides":[{"name":"a","environment":[{"name":"S","value":"v"}]}]}`, "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'S'."},
		{"size on FARGATE [O]", &serverless, `{"cpu":"512"}`, "No Fargate configuration exists for given values: 512 CPU, 512 memory."},
		{"container above task [O]", &def, `{"containerOverrides":[{"name":"a","cpu":513}]}`, "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."},
		{"storage [O]", &def, `{"ephemeralStorage":{"sizeInGiB":20}}`, "EphemeralStorage size should be at least 21"},
		{"accelerator [I]", &def, `{"inferenceAcceleratorOverrides":[{"deviceName":"x"}]}`, "Override for inference accelerator named x is not an inference accelerator in the TaskDefinition."},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := definition.Apply(c.def, overrides(t, c.doc))
			wantError(t, err, parameter+c.want)
		})
	}
}

// TestReserve: what a task takes (SEMANTICS §4.1 to §4.5, MISSION traps 14, 15) [D].
func TestReserve(t *testing.T) {
	ports := `"portMappings":[{"containerPort":80,"hostPort":8080},{"containerPort":53,"hostPort":5353,"protocol":"udp"},{"containerPort":81},{"containerPort":22,"hostPort":2222},{"containerPortRange":"9000-9010"}]`
	for _, c := range []struct {
		rule, doc string
		want      definition.Reservation
	}{
		{"sum of containers", pair(`"cpu":100,"memoryReservation":32`, `"cpu":28`), definition.Reservation{Resources: model.Resources{CPU: 128, Memory: 96}}},
		{"the task's size", task(`"cpu":"512","memory":"1024"`, `"cpu":100`), definition.Reservation{Resources: model.Resources{CPU: 512, Memory: 1024}}},
		{"static host ports", ec2(ports), definition.Reservation{Resources: model.Resources{Memory: 64, PortsTCP: []int32{2222, 8080}, PortsUDP: []int32{5353}}}},
		{"host mode", task(`"networkMode":"host"`, `"portMappings":[{"containerPort":80}]`), definition.Reservation{Resources: model.Resources{Memory: 64, PortsTCP: []int32{80}}}},
		{"awsvpc", task(`"networkMode":"awsvpc"`, `"portMappings":[{"containerPort":80}]`), definition.Reservation{Resources: model.Resources{Memory: 64, ENIs: 1}}},
		{"gpus", pair(`"resourceRequirements":[{"type":"GPU","value":"2"}]`, `"resourceRequirements":[{"type":"GPU","value":"1"}]`),
			definition.Reservation{Resources: model.Resources{Memory: 128}, GPU: definition.GPUs{Count: 3}}},
		{"all gpus", ec2(`"resourceRequirements":[{"type":"GPU","value":"ALL"}]`), definition.Reservation{Resources: model.Resources{Memory: 64}, GPU: definition.GPUs{All: true}}},
	} {
		t.Run(c.rule+" [D]", func(t *testing.T) {
			def := normalize(t, c.doc)
			if got := definition.Reserve(&def); !reflect.DeepEqual(got, c.want) {
				t.Errorf("reserves %+v, want %+v", got, c.want)
			}
		})
	}
	def := normalize(t, ec2(""))
	def.ContainerDefinitions[0].ResourceRequirements = full().ContainerDefinitions[0].ResourceRequirements
	if r := definition.Reserve(&def); r.GPU.Shared != 1024 || r.GPU.Count != 0 {
		t.Errorf("a shared GPU reserves %+v", r.GPU)
	}
}

// TestContainers: a new task's containers as the API shows them (SEMANTICS §11.1) [D].
func TestContainers(t *testing.T) {
	in := full()
	in.ContainerDefinitions[0].DependsOn = nil
	def, err := definition.Normalize(in)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	got := definition.Containers(&def, func() string { n++; return fmt.Sprint("id-", n) })
	want := []model.Container{
		{Name: "app", ID: "id-1", Image: "nginx:1", Status: "PENDING", Essential: true, CPU: 128, Memory: 128, SoftLimit: 64, Health: "UNKNOWN"},
		{Name: "side", ID: "id-2", Image: "busybox@sha256:" + strings.Repeat("a", 64), Digest: "sha256:" + strings.Repeat("a", 64), Status: "PENDING", Memory: 6},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("containers %+v", got)
	}
}

// placed is a task of the definition on an instance.
func placed(def *types.TaskDefinition, launch string) *model.Task {
	n := 0
	return &model.Task{
		Launch:     &model.Launch{Scope: model.Scope{Account: "000000000000", Region: "us-east-1"}, Cluster: "default", Definition: *def.Family + ":7", LaunchType: launch, Network: string(def.NetworkMode), Group: "service:web"},
		ID:         "0123456789abcdef0123456789abcdef",
		Containers: definition.Containers(def, func() string { n++; return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }),
	}
}

// TestPayload: what nodes are told, recorded in testdata (AGENT-PROTOCOL §1.2, §4).
func TestPayload(t *testing.T) {
	auth := func(image string) *acs.RegistryAuth {
		if !strings.Contains(image, ".dkr.ecr.") {
			return nil
		}
		return &acs.RegistryAuth{Type: "ecr", ECR: &acs.ECRAuth{Region: "us-east-1", RegistryID: "000000000000"}}
	}
	mps, err := definition.Normalize(plain(full()))
	if err != nil {
		t.Fatal(err)
	}
	web, err := definition.Normalize(plain(input(t, read(t, "register-terraform.json"))))
	if err != nil {
		t.Fatal(err)
	}
	legacy := normalize(t, read(t, "register-legacy.json"))
	for _, c := range []struct {
		name, launch string
		def          *types.TaskDefinition
		prepare      func(*model.Task)
	}{
		{"full", "EC2", &mps, func(task *model.Task) { task.Reserved.GPUs = []string{"GPU-1"} }},
		{"terraform", "FARGATE", &web, func(task *model.Task) { task.Containers[0].Digest = "sha256:" + strings.Repeat("b", 64) }},
		{"legacy", "EXTERNAL", &legacy, func(task *model.Task) { task.Group = "family:wordpress" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			row := placed(c.def, c.launch)
			c.prepare(row)
			p, err := definition.Payload(row, c.def, definition.Around{ClusterARN: model.ClusterARN(row.Scope, row.Cluster), Auth: auth})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "payload-"+c.name+".json", text(t, readable(t, p)))
		})
	}
}

// plain takes away what no payload carries.
func plain(in *ecs.RegisterTaskDefinitionInput) *ecs.RegisterTaskDefinitionInput {
	for i := range in.ContainerDefinitions {
		c := &in.ContainerDefinitions[i]
		c.Secrets, c.RepositoryCredentials, c.CredentialSpecs = nil, nil, nil
		c.MountPoints = slices.DeleteFunc(c.MountPoints, func(m types.MountPoint) bool { return *m.SourceVolume == "files" })
		c.ResourceRequirements = slices.DeleteFunc(c.ResourceRequirements, func(r types.ResourceRequirement) bool { return r.Type != types.ResourceTypeGpu })
	}
	return in
}

// TestUndeliverable: a task does not start without what it was promised [I].
func TestUndeliverable(t *testing.T) {
	role := `"executionRoleArn":"r"`
	mount := `"mountPoints":[{"sourceVolume":"v","containerPath":"/v"}]`
	volume := func(s string) string { return `"volumes":[{"name":"v",` + s + `}]` }
	for _, c := range []struct{ rule, doc, want string }{
		{"plain", ec2(""), ""},
		{"parameters", task(role, `"secrets":[{"name":"S","valueFrom":"p"}]`), ""},
		{"secrets", task(role, `"secrets":[{"name":"S","valueFrom":"arn:aws:secretsmanager:us-east-1:000000000000:secret:s-abcdef"}]`), ""},
		{"secret options", task(role, `"logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"u"},"secretOptions":[{"name":"splunk-token","valueFrom":"p"}]}`), ""},
		{"environment files", ec2(`"environmentFiles":[{"type":"s3","value":"arn:aws:s3:::b/x.env"}]`), ""},
		{"efs", task(volume(`"efsVolumeConfiguration":{"fileSystemId":"fs-1"}`), mount), ""},
		{"access point", task(volume(`"efsVolumeConfiguration":{"fileSystemId":"fs-1","transitEncryption":"ENABLED","authorizationConfig":{"accessPointId":"fsap-1"}}`), mount), "the EFS access point of volume v"},
		{"efs with IAM", task(volume(`"efsVolumeConfiguration":{"fileSystemId":"fs-1","transitEncryption":"ENABLED","authorizationConfig":{"iam":"ENABLED"}}`), mount), "the IAM authorization of volume v"},
		{"at launch", task(volume(`"configuredAtLaunch":true`), mount), "the configuration at launch of volume v"},
		{"not mounted", task(volume(`"configuredAtLaunch":true`), ""), ""},
		{"s3 files", task(volume(`"s3filesVolumeConfiguration":{"fileSystemArn":"arn"}`), mount), "the S3 files of volume v"},
		{"fsx", task(volume(`"fsxWindowsFileServerVolumeConfiguration":{"fileSystemId":"fs-1","rootDirectory":"r","authorizationConfig":{}}`), mount), "the FSx file system of volume v"},
		{"docker volumes", task(volume(`"dockerVolumeConfiguration":{"scope":"shared"}`), mount), ""},
		{"proxy", task(`"networkMode":"awsvpc","proxyConfiguration":{"containerName":"a","properties":[{"name":"IgnoredUID","value":"1337"},{"name":"ProxyIngressPort","value":"15000"},{"name":"ProxyEgressPort","value":"15001"},{"name":"AppPorts","value":"8080"}]}`, ""), ""},
	} {
		t.Run(c.rule+" [I]", func(t *testing.T) {
			def := normalize(t, c.doc)
			if got := definition.Undeliverable(&def); got != c.want {
				t.Errorf("undeliverable %q, want %q", got, c.want)
			}
			if _, err := definition.Payload(placed(&def, "EC2"), &def, definition.Around{}); (err != nil) != (c.want != "") {
				t.Errorf("payload: %v", err)
			}
		})
	}
}

// readable shows a payload with the raw Docker objects opened up.
func readable(t *testing.T, p acs.Task) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text(t, p)), &m); err != nil {
		t.Fatal(err)
	}
	for _, c := range m["containers"].([]any) {
		docker := c.(map[string]any)["dockerConfig"].(map[string]any)
		for _, key := range []string{"config", "hostConfig"} {
			var v any
			if err := json.Unmarshal([]byte(docker[key].(string)), &v); err != nil {
				t.Fatal(err)
			}
			docker[key] = v
		}
	}
	return m
}

// TestPayloadLogMode: the account's default mode is used where the definition has none (SEMANTICS §13.7) [D].
func TestPayloadLogMode(t *testing.T) {
	log := func(more string) string {
		return ec2(`"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"r"` + more + `}}`)
	}
	other := ec2(`"logConfiguration":{"logDriver":"syslog"}`)
	routed := pair(`"logConfiguration":{"logDriver":"awsfirelens","options":{"Name":"http"}}`, `"firelensConfiguration":{"type":"fluentbit"}`)
	for _, c := range []struct{ rule, doc, account, mode, buffer string }{
		{"other drivers", other, "", "non-blocking", "10m"},
		{"other drivers of an account that blocks", other, "blocking", "blocking", ""},
		{"a log router's options", routed, "blocking", "", ""},
		{"since 2025", log(""), "", "non-blocking", "10m"},
		{"account blocks", log(""), "blocking", "blocking", ""},
		{"definition blocks", log(`,"mode":"blocking"`), "", "blocking", ""},
		{"own buffer", log(`,"max-buffer-size":"25m"`), "", "non-blocking", "25m"},
	} {
		t.Run(c.rule+" [D]", func(t *testing.T) {
			def := normalize(t, c.doc)
			p, err := definition.Payload(placed(&def, "EC2"), &def, definition.Around{LogMode: c.account})
			if err != nil {
				t.Fatal(err)
			}
			var h acs.HostConfig
			if err := json.Unmarshal([]byte(p.Containers[0].Docker.HostConfig), &h); err != nil {
				t.Fatal(err)
			}
			if o := h.LogConfig.Config; o["mode"] != c.mode || o["max-buffer-size"] != c.buffer {
				t.Errorf("options %v", o)
			}
		})
	}
}

// TestPayloadOfAnotherDefinition: a row that does not fit its definition is an error, not a half payload [I].
func TestPayloadOfAnotherDefinition(t *testing.T) {
	def, other := normalize(t, pair("", "")), normalize(t, ec2(""))
	if _, err := definition.Payload(placed(&def, "EC2"), &other, definition.Around{}); err == nil {
		t.Error("no error")
	}
}

// TestStop: a stop carries the task's ARN and the wish only (AGENT-PROTOCOL §1.2) [run].
func TestStop(t *testing.T) {
	b, err := json.Marshal(definition.Stop("arn:x"))
	if want := `{"arn":"arn:x","desiredStatus":"STOPPED"}`; err != nil || string(b) != want {
		t.Errorf("%s, %v; want %s", b, err, want)
	}
}
