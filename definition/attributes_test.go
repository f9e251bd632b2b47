package definition_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/definition"
)

// TestFargateSizes: there are 74, and the edges are where AWS's are (SEMANTICS §4.2) [O].
func TestFargateSizes(t *testing.T) {
	n := 0
	for cpu := int64(128); cpu <= 32768; cpu += 128 {
		for memory := int64(256); memory <= 131072; memory += 256 {
			if definition.FargateSize(cpu, memory) {
				n++
			}
		}
	}
	if n != 74 {
		t.Errorf("%d sizes, want 74", n)
	}
	for _, c := range []struct {
		cpu, memory int64
		want        bool
	}{
		{256, 512, true}, {256, 1024, true}, {256, 1536, false}, {256, 2048, true}, {256, 3072, false}, {512, 512, false}, {512, 4096, true},
		{1024, 1024, false}, {1024, 8192, true}, {2048, 4096, true}, {2048, 17408, false}, {4096, 30720, true}, {4096, 31744, false},
		{8192, 16384, true}, {8192, 17408, false}, {8192, 61440, true}, {16384, 32768, true}, {16384, 36864, false}, {16384, 122880, true},
	} {
		if got := definition.FargateSize(c.cpu, c.memory); got != c.want {
			t.Errorf("FargateSize(%d, %d) = %v", c.cpu, c.memory, got)
		}
	}
}

// TestRequiresAttributes: features and the attributes that public describe outputs show for them (SEMANTICS §5.1) [O],
// the others after the agent's names for its capabilities [I].
func TestRequiresAttributes(t *testing.T) {
	ecr := `"image":"000000000000.dkr.ecr.us-east-1.amazonaws.com/x"`
	withImage := func(doc, image string) string { return strings.Replace(doc, `"image":"i"`, image, 1) }
	for _, c := range []struct{ rule, doc, want string }{
		{"nothing special [O]", ec2(""), ""},
		{"awsvpc [O]", task(`"networkMode":"awsvpc"`, ""), "docker-remote-api.1.18 /task-eni"},
		{"task role [O]", task(`"taskRoleArn":"r"`, ""), "task-iam-role"},
		{"task role in host [I]", task(`"networkMode":"host","taskRoleArn":"r"`, ""), "task-iam-role-network-host"},
		{"ecr [O]", withImage(ec2(""), ecr), "ecr-auth"},
		{"ecr with execution role [O]", withImage(task(`"executionRoleArn":"r"`, ""), ecr), "ecr-auth /execution-role-ecr-pull"},
		{"public ecr [O]", withImage(ec2(""), `"image":"public.ecr.aws/x/y"`), ""},
		{"user [O]", ec2(`"user":"0"`), "docker-remote-api.1.17"},
		{"health check [O]", ec2(`"healthCheck":{"command":["CMD","x"]}`), "docker-remote-api.1.24 /container-health-check"},
		{"health check with start period [O]", ec2(`"healthCheck":{"command":["CMD","x"],"startPeriod":0}`), "docker-remote-api.1.29 /container-health-check"},
		{"syslog [O]", ec2(`"logConfiguration":{"logDriver":"syslog"}`), "docker-remote-api.1.19 logging-driver.syslog"},
		{"awslogs with role [O]", task(`"executionRoleArn":"r"`, `"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"r","awslogs-create-group":"true"}}`),
			"docker-remote-api.1.19 docker-remote-api.1.29 logging-driver.awslogs /execution-role-awslogs"},
		{"secrets [O]", task(`"executionRoleArn":"r"`, `"secrets":[{"name":"A","valueFrom":"p"},{"name":"B","valueFrom":"arn:aws:secretsmanager:us-east-1:1:secret:s"}]`),
			"/secrets.asm.environment-variables /secrets.ssm.environment-variables"},
		{"log secrets [I]", task(`"executionRoleArn":"r"`, `"logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"u"},"secretOptions":[{"name":"splunk-token","valueFrom":"p"}]}`),
			"docker-remote-api.1.19 logging-driver.splunk /secrets.ssm.bootstrap.log-driver"},
		{"reservation [O]", ec2(`"memoryReservation":32`), "docker-remote-api.1.21"},
		{"privileged [I]", ec2(`"privileged":true`), "privileged-container"},
		{"efs [O]", task(`"volumes":[{"name":"v","efsVolumeConfiguration":{"fileSystemId":"fs-1"}}]`, ""), "docker-remote-api.1.25 /efs /efsAuth"},
		{"restart policy [I]", ec2(`"restartPolicy":{"enabled":true}`), "/container-restart-policy"},
		{"pid [I]", task(`"pidMode":"task"`, ""), "/pid-ipc-namespace-sharing"},
		{"environment files [I]", ec2(`"environmentFiles":[{"type":"s3","value":"arn:aws:s3:::b/x.env"}]`), "/env-files.s3"},
		{"volume at launch [I]", task(`"volumes":[{"name":"v","configuredAtLaunch":true}]`, ""), "/storage.ebs-task-volume-attach"},
		{"volume driver [I]", task(`"volumes":[{"name":"v","dockerVolumeConfiguration":{"driver":"x"}}]`, ""), "docker-remote-api.1.21 /docker-plugin.x"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			td := normalize(t, c.doc)
			var names []string
			for _, a := range td.RequiresAttributes {
				name, found := strings.CutPrefix(*a.Name, "com.amazonaws.ecs.capability.")
				if !found {
					name = strings.Replace(name, "ecs.capability.", "/", 1)
				}
				names = append(names, name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("attributes %q, want %q", got, c.want)
			}
			if !slices.IsSortedFunc(td.RequiresAttributes, func(a, b types.Attribute) int { return strings.Compare(*a.Name, *b.Name) }) {
				t.Error("not sorted")
			}
		})
	}
}

// TestCompatibilities: launch types that a definition can run on (SEMANTICS §2.4) [O], EXTERNAL and MANAGED_INSTANCES [I].
func TestCompatibilities(t *testing.T) {
	for _, c := range []struct{ rule, doc, want string }{
		{"bridge [I]", ec2(""), "EC2 EXTERNAL"},
		{"host [I]", task(`"networkMode":"host"`, ""), "EC2 EXTERNAL MANAGED_INSTANCES"},
		{"awsvpc without size [I]", task(`"networkMode":"awsvpc"`, ""), "EC2 MANAGED_INSTANCES"},
		{"awsvpc with a FARGATE size [O]", task(`"networkMode":"awsvpc","cpu":"256","memory":"512"`, ""), "EC2 FARGATE MANAGED_INSTANCES"},
		{"awsvpc with another size [O]", task(`"networkMode":"awsvpc","cpu":"256","memory":"513"`, ""), "EC2 MANAGED_INSTANCES"},
		{"external asked for [I]", task(`"networkMode":"awsvpc","requiresCompatibilities":["EXTERNAL"]`, ""), "EC2 EXTERNAL MANAGED_INSTANCES"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var names []string
			for _, l := range normalize(t, c.doc).Compatibilities {
				names = append(names, string(l))
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("compatibilities %q, want %q", got, c.want)
			}
		})
	}
}
