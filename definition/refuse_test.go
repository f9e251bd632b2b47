package definition_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/definition"
)

// Documents of one container "a" and the members given: on EC2 in bridge, and on FARGATE.
func ec2(container string) string { return task("", container) }
func task(top, container string) string {
	return fmt.Sprintf(`{"family":"f",%s"containerDefinitions":[{"name":"a","image":"i","memory":64%s}]}`, member(top), more(container))
}
func fargate(top, container string) string {
	return fmt.Sprintf(`{"family":"f","requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256","memory":"512",%s"containerDefinitions":[{"name":"a","image":"i"%s}]}`, member(top), more(container))
}

// pair has containers "a" and "b", b not essential.
func pair(a, b string) string {
	return fmt.Sprintf(`{"family":"f","containerDefinitions":[{"name":"a","image":"i","memory":64%s},{"name":"b","image":"i","memory":64,"essential":false%s}]}`, more(a), more(b))
}

func member(s string) string {
	if s == "" {
		return ""
	}
	return s + ","
}

func more(s string) string {
	if s == "" {
		return ""
	}
	return "," + s
}

const client, parameter = "ClientException: ", "InvalidParameterException: "

type refusal struct{ rule, doc, want string }

func runRefusals(t *testing.T, list []refusal) {
	for _, c := range list {
		t.Run(c.rule, func(t *testing.T) {
			_, err := definition.Normalize(input(t, c.doc))
			wantError(t, err, c.want)
		})
	}
}

func TestRefusedDocuments(t *testing.T) {
	one := `{"name":"a","image":"i","memory":8}`
	many := strings.TrimSuffix(strings.Repeat(one+",", 11), ",")
	long := strings.Repeat("x", 256)
	tags := ""
	for i := range 51 {
		tags += fmt.Sprintf(`,{"key":"k%d"}`, i)
	}
	runRefusals(t, []refusal{
		{"family missing [I]", `{"containerDefinitions":[` + one + `]}`, client + "Family should not be null or empty."},
		{"family charset [O]", `{"family":"a b","containerDefinitions":[` + one + `]}`, client + "Family contains invalid characters."},
		{"family too long [I]", `{"family":"` + long + `","containerDefinitions":[` + one + `]}`, client + "Family is too long. The maximum length is 255."},
		{"no containers [O]", `{"family":"f"}`, client + "Container list cannot be empty."},
		{"eleven containers [O]", `{"family":"f","containerDefinitions":[` + many + `]}`, client + "Too many containers."},
		{"no name [O]", `{"family":"f","containerDefinitions":[{"image":"i","memory":8}]}`, client + "Container.name should not be null or empty."},
		{"name charset [O]", `{"family":"f","containerDefinitions":[{"name":"a.b","image":"i","memory":8}]}`, client + "Container.name contains invalid characters."},
		{"name too long [I]", `{"family":"f","containerDefinitions":[{"name":"` + long + `","image":"i"}]}`, client + "Container.name is too long. The maximum length is 255."},
		{"name twice [I]", `{"family":"f","containerDefinitions":[` + one + `,` + one + `]}`, client + "Container.name must be unique. 'a' is used more than once."},
		{"no image [O]", `{"family":"f","containerDefinitions":[{"name":"a","memory":8}]}`, client + "Container.image should not be null or empty."},
		{"image charset [O]", `{"family":"f","containerDefinitions":[{"name":"a","image":"<IMAGE1_NAME>","memory":8}]}`, client + "Container.image contains invalid characters."},
		{"image digest [D]", `{"family":"f","containerDefinitions":[{"name":"a","image":"i@sha256:12","memory":8}]}`, client + "Container.image contains an invalid digest."},
		{"64 KiB [O]", ec2(`"command":["` + strings.Repeat("x", 65536) + `"]`), client + "Actual length: '65635'. Max allowed length is '65536' bytes."},
		{"tag reserved [D]", task(`"tags":[{"key":"AWS:x"}]`, ""), parameter + "Tag keys and values cannot start with 'aws:'. The prefix is reserved for AWS use."},
		{"tag key length [D]", task(`"tags":[{"key":"`+long+`"}]`, ""), parameter + "Tag keys must be between 1 and 128 characters long."},
		{"tag value length [D]", task(`"tags":[{"key":"k","value":"x`+long+`"}]`, ""), parameter + "Tag values must be at most 256 characters long."},
		{"tag twice [D]", task(`"tags":[{"key":"k"},{"key":"k"}]`, ""), parameter + "Duplicate tag keys found: k. Each tag key must be unique."},
		{"51 tags [D]", task(`"tags":[`+tags[1:]+`]`, ""), parameter + "The maximum number of tags is 50."},
	})
}

func TestRefusedSizes(t *testing.T) {
	badCPU := client + "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
	badMemory := client + "Invalid 'memory' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."
	setting := client + "Invalid setting for container 'a'. "
	bare := func(s string) string {
		return `{"family":"f","containerDefinitions":[{"name":"a","image":"i"` + more(s) + `}]}`
	}
	runRefusals(t, []refusal{
		{"cpu below 128 [D]", task(`"cpu":"127"`, ""), badCPU},
		{"cpu above 196608 [D]", task(`"cpu":"196609"`, ""), badCPU},
		{"cpu no number [O]", task(`"cpu":"one"`, ""), badCPU},
		{"cpu exponent [I]", task(`"cpu":"1e1 vcpu"`, ""), badCPU},
		{"memory no number [O]", task(`"memory":"1 TB"`, ""), badMemory},
		{"memory zero [I]", task(`"memory":"0"`, ""), badMemory},
		{"no memory anywhere [O]", bare(""), setting + "At least one of 'memory' or 'memoryReservation' must be specified."},
		{"memory below minimum [I]", bare(`"memory":3`), setting + "'memory' must be at least 4."},
		{"reservation below minimum [I]", bare(`"memoryReservation":3`), setting + "'memoryReservation' must be at least 4."},
		{"memory equals reservation [D]", bare(`"memory":64,"memoryReservation":64`), setting + "'memory' must be greater than 'memoryReservation'."},
		{"negative cpu [I]", bare(`"memory":64,"cpu":-1`), setting + "'cpu' must not be negative."},
		{"cpu sum [O]", task(`"cpu":"256"`, `"cpu":257`), client + "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'."},
		{"memory sum [D]", strings.Replace(pair("", ""), `"f",`, `"f","memory":"100",`, 1), client + "The sum of all container 'memory' values cannot be greater than the value of the task 'memory'."},
		{"memory above task [D]", task(`"memory":"63"`, ""), setting + "'memory' cannot be greater than the value of the task 'memory'."},
	})
}

func TestRefusedNetworking(t *testing.T) {
	ports := func(s string) string { return `"portMappings":[` + s + `]` }
	many := ""
	for i := range 101 {
		many += fmt.Sprintf(`,{"containerPortRange":"%d-%d"}`, 1000+10*i, 1001+10*i)
	}
	runRefusals(t, []refusal{
		{"network mode [D]", task(`"networkMode":"overlay"`, ""), client + "Invalid 'networkMode' setting for task."},
		{"pid mode [D]", task(`"pidMode":"none"`, ""), client + "Invalid 'pidMode' setting for task."},
		{"ipc mode [D]", task(`"ipcMode":"x"`, ""), client + "Invalid 'ipcMode' setting for task."},
		{"awsvpc host port [O]", task(`"networkMode":"awsvpc"`, ports(`{"containerPort":80,"hostPort":81}`)), client + "When networkMode=awsvpc, the host ports and container ports in port mappings must match."},
		{"host host port [D]", task(`"networkMode":"host"`, ports(`{"containerPort":80,"hostPort":81}`)), client + "When networkMode=host, the host ports and container ports in port mappings must match."},
		{"none with ports [D]", task(`"networkMode":"none"`, ports(`{"containerPort":80}`)), client + "Port mappings are not supported when networkMode=none."},
		{"port too high [D]", ec2(ports(`{"containerPort":65536}`)), client + "Invalid 'containerPort' setting for container 'a'."},
		{"port missing [D]", ec2(ports(`{"hostPort":80}`)), client + "Invalid 'containerPort' setting for container 'a'."},
		{"host port too high [D]", ec2(ports(`{"containerPort":80,"hostPort":65536}`)), client + "Invalid 'hostPort' setting for container 'a'."},
		{"one port two protocols [D]", ec2(ports(`{"containerPort":53},{"containerPort":53,"protocol":"udp"}`)), parameter + "Container port 53 is used in more than one port mapping for container a."},
		{"one port twice [O]", ec2(ports(`{"containerPort":53},{"containerPort":53}`)), parameter + "Container port 53 is used in more than one port mapping for container a."},
		{"host port twice [D]", ec2(ports(`{"containerPort":80,"hostPort":8080},{"containerPort":81,"hostPort":8080}`)), client + "Host port 8080/tcp is used in more than one port mapping."},
		{"host port in two containers [D]", pair(ports(`{"containerPort":80,"hostPort":8080}`), ports(`{"containerPort":80,"hostPort":8080}`)), client + "Host port 8080/tcp is used in more than one port mapping."},
		{"range and port [D]", ec2(ports(`{"containerPort":80,"containerPortRange":"80-81"}`)), client + "Invalid port mapping for container 'a'. 'containerPortRange' cannot be used with 'containerPort' or 'hostPort'."},
		{"range backwards [D]", ec2(ports(`{"containerPortRange":"81-80"}`)), client + "Invalid 'containerPortRange' setting for container 'a'."},
		{"range of one [D]", ec2(ports(`{"containerPortRange":"80-80"}`)), client + "Invalid 'containerPortRange' setting for container 'a'."},
		{"range above 65535 [D]", ec2(ports(`{"containerPortRange":"80-65536"}`)), client + "Invalid 'containerPortRange' setting for container 'a'."},
		{"range in host [D]", task(`"networkMode":"host"`, ports(`{"containerPortRange":"80-81"}`)), client + "'containerPortRange' is not supported when networkMode=host."},
		{"ranges overlap [D]", ec2(ports(`{"containerPortRange":"80-90"},{"containerPortRange":"90-99"}`)), parameter + "Container port ranges of container a must not overlap."},
		{"port in range [D]", ec2(ports(`{"containerPortRange":"80-90"},{"containerPort":85}`)), parameter + "Container port ranges of container a must not overlap."},
		{"101 ranges [D]", ec2(ports(many[1:])), client + "Container 'a' has too many port ranges. The maximum is 100."},
		{"port name charset [D]", ec2(ports(`{"containerPort":80,"name":"Web"}`)), client + "Invalid port mapping name 'Web'."},
		{"port name hyphen [D]", ec2(ports(`{"containerPort":80,"name":"-w"}`)), client + "Invalid port mapping name '-w'."},
		{"port name twice [D]", ec2(ports(`{"containerPort":80,"name":"w"},{"containerPort":81,"name":"w"}`)), client + "Port mapping name 'w' is used more than once."},
		{"appProtocol [D]", ec2(ports(`{"containerPort":80,"name":"w","appProtocol":"ftp"}`)), client + "Invalid appProtocol 'ftp' in port mapping."},
		{"appProtocol udp [D]", ec2(ports(`{"containerPort":80,"name":"w","appProtocol":"http","protocol":"udp"}`)), client + "appProtocol is not supported for port mappings with protocol udp."},
		{"links in awsvpc [O]", task(`"networkMode":"awsvpc"`, `"links":["b"]`), client + "Links are not supported when networkMode=awsvpc."},
		{"links in host [D]", task(`"networkMode":"host"`, `"links":["b"]`), client + "Links are not supported when networkMode=host."},
		{"link unknown [I]", ec2(`"links":["b:x"]`), client + "Unknown container 'b' in links of container 'a'."},
		{"link charset [D]", ec2(`"links":["b:x:y"]`), client + "Invalid link 'b:x:y' in container 'a'."},
		{"hostname in awsvpc [D]", task(`"networkMode":"awsvpc"`, `"hostname":"h"`), client + "hostname is not supported on container when networkMode=awsvpc."},
		{"extraHosts in awsvpc [D]", task(`"networkMode":"awsvpc"`, `"extraHosts":[{"hostname":"h","ipAddress":"1.2.3.4"}]`), client + "extraHosts is not supported on container when networkMode=awsvpc."},
		{"dns in awsvpc [D]", task(`"networkMode":"awsvpc"`, `"dnsServers":["1.1.1.1"]`), client + "dnsServers is not supported on container when networkMode=awsvpc."},
		{"extraHosts incomplete [D]", ec2(`"extraHosts":[{"hostname":"h"}]`), client + "extraHosts of container 'a' need a hostname and an ipAddress."},
		{"proxy container [I]", task(`"networkMode":"awsvpc","proxyConfiguration":{"containerName":"x"}`, ""), client + "The container 'x' of proxyConfiguration does not exist in the task definition."},
		{"proxy without ports [I]", task(`"networkMode":"awsvpc","proxyConfiguration":{"containerName":"a","properties":[{"name":"IgnoredUID","value":"1337"}]}`, ""), client + "Invalid 'properties' setting for proxyConfiguration: ProxyIngressPort is missing."},
		{"proxy in bridge [D]", task(`"proxyConfiguration":{"containerName":"a"}`, ""), client + "proxyConfiguration is only supported when networkMode=awsvpc."},
		{"constraint type [O]", task(`"placementConstraints":[{"type":"distinctInstance"}]`, ""), client + "constraint.type 'distinctInstance' is not supported."},
		{"constraint without expression [D]", task(`"placementConstraints":[{"type":"memberOf"}]`, ""), client + "memberOf expression should be specified."},
		{"eleven constraints [D]", task(`"placementConstraints":[{},{},{},{},{},{},{},{},{},{},{}]`, ""), client + "Maximum number of constraints is 10"},
		{"compatibility [D]", task(`"requiresCompatibilities":["LAMBDA"]`, ""), client + "Invalid 'requiresCompatibilities' setting for task: LAMBDA."},
		{"architecture [D]", task(`"runtimePlatform":{"cpuArchitecture":"RISCV"}`, ""), client + "Invalid 'cpuArchitecture' setting for runtimePlatform."},
		{"os [D]", task(`"runtimePlatform":{"operatingSystemFamily":"PLAN9"}`, ""), client + "Invalid 'operatingSystemFamily' setting for runtimePlatform."},
		{"blank role [O]", task(`"taskRoleArn":""`, ""), client + "Role is not valid"},
	})
}

func TestRefusedContainers(t *testing.T) {
	health := func(s string) string { return `"healthCheck":{"command":["CMD","x"],` + s + `}` }
	linux := func(s string) string { return `"linuxParameters":{` + s + `}` }
	codes := strings.Repeat("1,", 51)
	runRefusals(t, []refusal{
		{"depends on nothing [O]", ec2(`"dependsOn":[{"containerName":"x","condition":"START"}]`), client + "Cannot depend on container + 'x' because it does not exist"},
		{"complete on essential [O]", pair("", `"dependsOn":[{"containerName":"a","condition":"COMPLETE"}]`), client + "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"},
		{"success on essential [O]", pair("", `"dependsOn":[{"containerName":"a","condition":"SUCCESS"}]`), client + "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"},
		{"healthy without check [D]", pair(`"dependsOn":[{"containerName":"b","condition":"HEALTHY"}]`, ""), client + "A dependency container with HEALTHY condition must have a health check configured"},
		{"condition [D]", pair(`"dependsOn":[{"containerName":"b","condition":"READY"}]`, ""), client + "Invalid dependency condition 'READY' for container 'a'."},
		{"depends on itself [I]", ec2(`"dependsOn":[{"containerName":"a","condition":"START"}]`), client + "Container dependency cycle detected at container 'a'."},
		{"cycle [I]", pair(`"dependsOn":[{"containerName":"b","condition":"START"}]`, `"volumesFrom":[{"sourceContainer":"a"}]`), client + "Container dependency cycle detected at container 'a'."},
		{"nothing essential [D]", ec2(`"essential":false`), client + "At least one container in the task definition must be marked as essential."},
		{"health command [D]", ec2(`"healthCheck":{"command":["curl","x"]}`), client + "Invalid health check for container 'a'. The command must start with CMD or CMD-SHELL."},
		{"health interval [D]", ec2(health(`"interval":4`)), client + "Invalid health check for container 'a'. 'interval' must be between 5 and 300."},
		{"health timeout [D]", ec2(health(`"timeout":61`)), client + "Invalid health check for container 'a'. 'timeout' must be between 2 and 60."},
		{"health retries [D]", ec2(health(`"retries":11`)), client + "Invalid health check for container 'a'. 'retries' must be between 1 and 10."},
		{"health start period [D]", ec2(health(`"startPeriod":301`)), client + "Invalid health check for container 'a'. 'startPeriod' must be between 0 and 300."},
		{"restart enabled [D]", ec2(`"restartPolicy":{}`), client + "Invalid restart policy for container 'a'. 'enabled' must be specified."},
		{"restart period [D]", ec2(`"restartPolicy":{"enabled":true,"restartAttemptPeriod":59}`), client + "Invalid restart policy for container 'a'. 'restartAttemptPeriod' must be between 60 and 1800."},
		{"restart codes [D]", ec2(`"restartPolicy":{"enabled":true,"ignoredExitCodes":[` + codes[:len(codes)-1] + `]}`), client + "Invalid restart policy for container 'a'. At most 50 exit codes can be ignored."},
		{"stop timeout [I]", ec2(`"stopTimeout":-1`), client + "Invalid setting for container 'a'. 'stopTimeout' must not be negative."},
		{"ulimit name [D]", ec2(`"ulimits":[{"name":"x","softLimit":1,"hardLimit":1}]`), client + "Invalid ulimit name 'x' for container 'a'."},
		{"ulimit order [D]", ec2(`"ulimits":[{"name":"nofile","softLimit":2,"hardLimit":1}]`), client + "Invalid ulimit 'nofile' for container 'a'. The soft limit must not be greater than the hard limit."},
		{"ulimit twice [I]", ec2(`"ulimits":[{"name":"core"},{"name":"core"}]`), client + "Duplicate ulimit 'core' for container 'a'."},
		{"capability [D]", ec2(linux(`"capabilities":{"add":["CAP_CHOWN"]}`)), client + "Invalid capability 'CAP_CHOWN' for container 'a'."},
		{"device permission [D]", ec2(linux(`"devices":[{"hostPath":"/dev/x","permissions":["exec"]}]`)), client + "Invalid device permission 'exec' for container 'a'."},
		{"tmpfs path [D]", ec2(linux(`"tmpfs":[{"containerPath":"tmp","size":1}]`)), client + "Tmpfs.containerPath of container 'a' must be an absolute path."},
		{"tmpfs option [D]", ec2(linux(`"tmpfs":[{"containerPath":"/tmp","size":1,"mountOptions":["quota"]}]`)), client + "Invalid tmpfs mount option 'quota' for container 'a'."},
		{"tmpfs size [D]", ec2(linux(`"tmpfs":[{"containerPath":"/tmp"}]`)), client + "Tmpfs.size of container 'a' must be greater than 0."},
		{"swappiness [D]", ec2(linux(`"swappiness":101`)), client + "Invalid 'swappiness' setting for container 'a'. It must be between 0 and 100."},
		{"sysctl namespace [D]", ec2(`"systemControls":[{"namespace":"vm.swappiness","value":"1"}]`), client + "Invalid systemControls namespace 'vm.swappiness' for container 'a'."},
		{"sysctl in host network [D]", task(`"networkMode":"host"`, `"systemControls":[{"namespace":"net.core.somaxconn","value":"1"}]`), client + "Network namespace systemControls are not supported when networkMode=host."},
		{"sysctl in host ipc [D]", task(`"ipcMode":"host"`, `"systemControls":[{"namespace":"kernel.sem","value":"1"}]`), client + "IPC namespace systemControls are not supported when ipcMode=host."},
		{"security option [D]", ec2(`"dockerSecurityOptions":["seccomp:x"]`), client + "Invalid dockerSecurityOptions 'seccomp:x' for container 'a'."},
		{"version consistency [D]", ec2(`"versionConsistency":"on"`), client + "Invalid 'versionConsistency' setting for container 'a'."},
		{"gpu value [D]", ec2(`"resourceRequirements":[{"type":"GPU","value":"0"}]`), client + "Invalid GPU value '0' for container 'a'."},
		{"neuron value [D]", ec2(`"resourceRequirements":[{"type":"NeuronDevice","value":"1"}]`), client + "The value for NeuronDevice of container 'a' must be ALL."},
		{"resource type [D]", ec2(`"resourceRequirements":[{"type":"TPU","value":"1"}]`), client + "Invalid resource type 'TPU' for container 'a'."},
		{"inference accelerator [D]", ec2(`"resourceRequirements":[{"type":"InferenceAccelerator","value":"x"}]`), client + "Unknown inference accelerator 'x' for container 'a'."},
		{"log driver [D]", ec2(`"logConfiguration":{"logDriver":"loki"}`), client + "Invalid log driver 'loki' for container 'a'."},
		{"awslogs options [O]", ec2(`"logConfiguration":{"logDriver":"awslogs"}`), client + "Log driver awslogs requires options: awslogs-region, awslogs-group"},
		{"splunk options [D]", ec2(`"logConfiguration":{"logDriver":"splunk","options":{"splunk-url":"u"}}`), client + "Log driver splunk requires options: splunk-token"},
		{"log mode [D]", ec2(`"logConfiguration":{"logDriver":"json-file","options":{"mode":"fast"}}`), client + "Invalid log mode 'fast' for container 'a'. Valid values are blocking and non-blocking."},
		{"firelens without router [D]", ec2(`"logConfiguration":{"logDriver":"awsfirelens"}`), client + "The awsfirelens log driver requires a container with a firelensConfiguration in the task definition."},
		{"two routers [D]", pair(`"firelensConfiguration":{"type":"fluentbit"}`, `"firelensConfiguration":{"type":"fluentd"}`), client + "Only one container in the task definition can have a firelensConfiguration."},
		{"firelens type [D]", ec2(`"firelensConfiguration":{"type":"vector"}`), client + "Invalid 'type' setting for firelensConfiguration of container 'a'."},
		{"secrets without role [O]", ec2(`"secrets":[{"name":"S","valueFrom":"p"}]`), client + "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."},
		{"secret is variable [O]", task(`"executionRoleArn":"r"`, `"environment":[{"name":"S","value":""}],"secrets":[{"name":"S","valueFrom":"p"}]`), client + "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'S'."},
		{"secret twice [O]", task(`"executionRoleArn":"r"`, `"secrets":[{"name":"S","valueFrom":"p"},{"name":"S","valueFrom":"q"}]`), client + "Duplicate secret names found: S. Each secret name must be unique."},
		{"environment file type [D]", ec2(`"environmentFiles":[{"type":"http","value":"x"}]`), client + "Invalid environment file type 'http'. The only supported type is s3."},
		{"environment file elsewhere [I]", ec2(`"environmentFiles":[{"type":"s3","value":"arn:aws:ecs:::b/x.env"}]`), client + "Invalid environment file 'arn:aws:ecs:::b/x.env'. It must be the ARN of an S3 object with the extension .env."},
		{"environment file without a bucket [I]", ec2(`"environmentFiles":[{"type":"s3","value":"arn:aws:s3:::x.env"}]`), client + "Invalid environment file 'arn:aws:s3:::x.env'. It must be the ARN of an S3 object with the extension .env."},
		{"too many environment files [D]", ec2(`"environmentFiles":[` + strings.Repeat(`{"type":"s3","value":"arn:aws:s3:::b/x.env"},`, 10) + `{"type":"s3","value":"arn:aws:s3:::b/x.env"}]`), client + "Too many environment files. The maximum is 10."},
		{"environment file name [D]", ec2(`"environmentFiles":[{"type":"s3","value":"arn:aws:s3:::b/x.txt"}]`), client + "Invalid environment file 'arn:aws:s3:::b/x.txt'. It must be the ARN of an S3 object with the extension .env."},
		{"repository credentials [D]", ec2(`"repositoryCredentials":{"credentialsParameter":"s"}`), client + "When you are specifying repositoryCredentials, you must also specify a value for 'executionRoleArn'."},
	})
}

func TestRefusedVolumes(t *testing.T) {
	volumes := func(s string) string { return task(`"volumes":[`+s+`]`, "") }
	efs := func(s string) string {
		return volumes(`{"name":"v","efsVolumeConfiguration":{"fileSystemId":"fs-1",` + s + `}}`)
	}
	runRefusals(t, []refusal{
		{"unknown volume [O]", ec2(`"mountPoints":[{"sourceVolume":"v","containerPath":"/v"}]`), client + "Unknown volume 'v'."},
		{"no volume [O]", ec2(`"mountPoints":[{"containerPath":"/v"}]`), client + "Unknown volume 'null'."},
		{"volumes from nowhere [D]", ec2(`"volumesFrom":[{"sourceContainer":"x"}]`), client + "Unknown container 'x' in volumesFrom of container 'a'."},
		{"name missing [D]", volumes(`{}`), client + "Volume.name should not be null or empty."},
		{"name charset [D]", volumes(`{"name":"a/b"}`), client + "Volume.name contains invalid characters."},
		{"name twice [D]", volumes(`{"name":"v"},{"name":"v"}`), client + "Volume.name must be unique. 'v' is used more than once."},
		{"two kinds [D]", volumes(`{"name":"v","host":{},"dockerVolumeConfiguration":{}}`), client + "Volume 'v' must have only one type of configuration."},
		{"blank path [O]", volumes(`{"name":"v","host":{"sourcePath":""}}`), client + "host.sourcePath should not be blank."},
		{"two at launch [D]", volumes(`{"name":"v","configuredAtLaunch":true},{"name":"w","configuredAtLaunch":true}`), client + "A task definition can have only one volume that is configured at launch."},
		{"autoprovision of a task [D]", volumes(`{"name":"v","dockerVolumeConfiguration":{"scope":"task","autoprovision":true}}`), client + "autoprovision of volume 'v' can only be specified when the scope is shared."},
		{"efs iam [D]", efs(`"authorizationConfig":{"iam":"ENABLED"}`), client + "Transit encryption must be enabled when IAM authorization is used."},
		{"efs access point encryption [D]", efs(`"authorizationConfig":{"accessPointId":"p"}`), client + "Transit encryption must be enabled when an access point is specified."},
		{"efs access point root [D]", efs(`"transitEncryption":"ENABLED","rootDirectory":"/a","authorizationConfig":{"accessPointId":"p"}`), client + "rootDirectory must be omitted or set to '/' when an access point is specified."},
		{"storage too small [O]", task(`"ephemeralStorage":{"sizeInGiB":20}`, ""), client + "EphemeralStorage size should be at least 21"},
		{"storage too large [O]", task(`"ephemeralStorage":{"sizeInGiB":201}`, ""), client + "EphemeralStorage size should be at most 200"},
	})
}

func TestRefusedOnFargate(t *testing.T) {
	cannot := client + "Fargate compatible task definitions do not support "
	role := `"executionRoleArn":"r"`
	awslogs := `"logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-region":"r"%s}}`
	linux := func(s string) string { return fargate("", `"linuxParameters":{`+s+`}`) }
	without := func(s string) string { return strings.Replace(fargate("", ""), s, "", 1) }
	runRefusals(t, []refusal{
		{"network mode absent [O]", without(`"networkMode":"awsvpc",`), client + "Fargate only supports network mode 'awsvpc'."},
		{"network mode bridge [O]", fargate(`"networkMode":"bridge"`, ""), client + "Fargate only supports network mode 'awsvpc'."},
		{"no cpu [O]", without(`"cpu":"256",`), client + "Fargate requires that 'cpu' be defined at the task level."},
		{"no memory [O]", strings.Replace(without(`"memory":"512",`), `"image"`, `"memory":9,"image"`, 1), client + "Fargate requires that 'memory' be defined at the task level."},
		{"size [O]", fargate(`"memory":"4 GB"`, ""), client + "No Fargate configuration exists for given values: 256 CPU, 4096 memory."},
		{"pidMode host [O]", fargate(`"pidMode":"host"`, ""), client + "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'."},
		{"ipcMode [D]", fargate(`"ipcMode":"task"`, ""), cannot + "ipcMode"},
		{"placementConstraints [D]", fargate(`"placementConstraints":[{"type":"memberOf","expression":"x"}]`, ""), cannot + "placementConstraints"},
		{"sourcePath [O]", fargate(`"volumes":[{"name":"v","host":{"sourcePath":"/x"}}]`, ""), cannot + "sourcePath"},
		{"docker volume [D]", fargate(`"volumes":[{"name":"v","dockerVolumeConfiguration":{}}]`, ""), cannot + "dockerVolumeConfiguration"},
		{"privileged [D]", fargate("", `"privileged":true`), cannot + "privileged"},
		{"gpu [D]", fargate("", `"resourceRequirements":[{"type":"GPU","value":"1"}]`), cannot + "resourceRequirements"},
		{"devices [D]", linux(`"devices":[{"hostPath":"/dev/x"}]`), cannot + "devices"},
		{"maxSwap [D]", linux(`"maxSwap":0`), cannot + "maxSwap"},
		{"swappiness [D]", linux(`"swappiness":0`), cannot + "swappiness"},
		{"sharedMemorySize [D]", linux(`"sharedMemorySize":1`), cannot + "sharedMemorySize"},
		{"capability [D]", linux(`"capabilities":{"add":["NET_ADMIN"]}`), client + "Fargate compatible task definitions only support adding the SYS_PTRACE capability"},
		{"log driver [D]", fargate("", `"logConfiguration":{"logDriver":"json-file"}`), cannot + "log driver json-file"},
		{"awslogs without role [O]", fargate("", fmt.Sprintf(awslogs, `,"awslogs-stream-prefix":"p"`)), client + "Fargate requires task definition to have execution role ARN to support log driver awslogs."},
		{"awslogs without prefix [O]", fargate(role, fmt.Sprintf(awslogs, "")), client + "Log driver awslogs requires options: awslogs-stream-prefix"},
		{"ecr without role [O]", strings.Replace(fargate("", ""), `"image":"i"`, `"image":"123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1"`, 1), client + "Fargate requires task definition to have execution role ARN to support ECR images."},
		{"stopTimeout [D]", fargate("", `"stopTimeout":121`), client + "Invalid 'stopTimeout' setting for container 'a'. Fargate supports values between 2 and 120."},
		{"startTimeout [D]", fargate("", `"startTimeout":1`), client + "Invalid 'startTimeout' setting for container 'a'. Fargate supports values between 2 and 120."},
		{"firelens from s3 [D]", fargate("", `"firelensConfiguration":{"type":"fluentbit","options":{"config-file-type":"s3","config-file-value":"arn:x"}}`), cannot + "config-file-type s3"},
	})
}
