package stock_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// shape says of each member of an object what it is: "string", "bool", "integer", "float", "strings" (an array of them), "map" (of
// strings to strings), "json:NAME" (a string that holds an object of the shape), "one of A B", NAME (an object of the shape) or
// "list of NAME". A "!" in front: the agent does not work without.
type shape map[string]string

// shapes are what an agent parses (AGENT-PROTOCOL §1.2). Docker's are of its Engine API.
var shapes = map[string]shape{
	"payload": {"messageId": "!string", "clusterArn": "!string", "containerInstanceArn": "!string", "generatedAt": "integer", "seqNum": "integer", "timeline": "integer", "tasks": "!list of task"},
	"task": {
		"arn": "!string", "family": "string", "version": "string", "desiredStatus": "!one of RUNNING STOPPED", "taskClusterArn": "string",
		"networkMode": "one of bridge host none awsvpc", "launchType": "string", "serviceName": "string", "group": "string", "cpu": "float", "memory": "integer",
		"containers": "list of container", "volumes": "list of volume", "roleCredentials": "credentials", "executionRoleCredentials": "credentials",
		"overrides": "string", "pidMode": "string", "ipcMode": "string", "associations": "list of association", "enableFaultInjection": "bool",
		"zone": "string", "taskDefinitionAccountId": "string", "proxyConfiguration": "proxy",
	},
	"proxy": {"type": "!one of APPMESH", "containerName": "!string", "properties": "!map"},
	"container": {
		"name": "!string", "containerArn": "string", "image": "!string", "cpu": "integer", "memory": "integer", "essential": "!bool", "command": "strings",
		"entryPoint": "strings", "environment": "map", "environmentFiles": "list of environmentFile", "secrets": "list of secret",
		"portMappings": "list of portMapping", "mountPoints": "list of mountPoint", "volumesFrom": "list of volumeFrom", "links": "strings",
		"dependsOn": "list of dependency", "startTimeout": "integer", "stopTimeout": "integer", "healthCheckType": "one of docker",
		"restartPolicy": "restartPolicy", "registryAuthentication": "registryAuthentication", "firelensConfiguration": "firelens",
		"logsAuthStrategy": "one of ExecutionRole", "overrides": "string", "dockerConfig": "!dockerConfig",
	},
	"dockerConfig":    {"config": "json:config", "hostConfig": "json:hostConfig", "version": "string"},
	"environmentFile": {"type": "!one of s3", "value": "!string"},
	"secret": {"name": "!string", "valueFrom": "!string", "provider": "!one of ssm asm", "type": "!one of ENVIRONMENT_VARIABLE MOUNT_POINT BOOTSTRAP",
		"target": "one of CONTAINER LOG_DRIVER", "region": "!string", "containerPath": "string"},
	"portMapping":            {"containerPort": "integer", "hostPort": "integer", "protocol": "one of tcp udp", "containerPortRange": "string"},
	"mountPoint":             {"sourceVolume": "!string", "containerPath": "!string", "readOnly": "bool"},
	"volumeFrom":             {"sourceContainer": "!string", "readOnly": "bool"},
	"dependency":             {"containerName": "!string", "condition": "!one of START COMPLETE SUCCESS HEALTHY"},
	"restartPolicy":          {"enabled": "!bool", "ignoredExitCodes": "integers", "restartAttemptPeriod": "integer"},
	"registryAuthentication": {"type": "!one of ecr asm", "ecrAuthData": "ecr", "asmAuthData": "asm"},
	"ecr":                    {"region": "!string", "registryId": "!string", "endpointOverride": "string", "useExecutionRole": "bool"},
	"asm":                    {"credentialsParameter": "!string", "region": "!string"},
	"firelens":               {"type": "!one of fluentd fluentbit", "options": "map"},
	"association":            {"containers": "strings", "name": "string", "type": "string"},
	"volume": {"name": "!string", "type": "!one of host docker efs", "host": "host", "dockerVolumeConfiguration": "dockerVolume",
		"efsVolumeConfiguration": "efs"},
	"host":         {"sourcePath": "string"},
	"dockerVolume": {"scope": "one of task shared", "autoprovision": "bool", "driver": "string", "driverOpts": "map", "labels": "map"},
	"efs":          {"fileSystemId": "!string", "rootDirectory": "string", "transitEncryption": "string", "transitEncryptionPort": "integer"},
	"credentials": {"credentialsId": "!string", "roleArn": "!string", "accessKeyId": "!string", "secretAccessKey": "!string", "sessionToken": "!string",
		"expiration": "!string", "roleType": "string", "credentialScope": "string"},
	"renewal": {"messageId": "!string", "taskArn": "!string", "taskClusterArn": "string", "roleType": "!one of TaskApplication TaskExecution", "roleCredentials": "!credentials"},
	"manifest": {"messageId": "!string", "clusterArn": "!string", "containerInstanceArn": "!string", "generatedAt": "!integer", "timeline": "!integer",
		"tasks": "!list of line"},
	"line":     {"taskArn": "!string", "desiredStatus": "!one of RUNNING STOPPED", "taskClusterArn": "string"},
	"verified": {"messageId": "!string", "generatedAt": "!integer", "stopTasks": "!list of line"},

	"config": {"Hostname": "string", "User": "string", "WorkingDir": "string", "Labels": "map", "StopSignal": "string", "Tty": "bool", "OpenStdin": "bool",
		"Healthcheck": "healthcheck"},
	"healthcheck": {"Test": "!strings", "Interval": "integer", "Timeout": "integer", "StartPeriod": "integer", "Retries": "integer"},
	"hostConfig": {
		"NetworkMode": "one of host none bridge", "CapAdd": "strings", "CapDrop": "strings", "Dns": "strings", "DnsSearch": "strings", "ExtraHosts": "strings",
		"Privileged": "bool", "ReadonlyRootfs": "bool", "SecurityOpt": "strings", "ShmSize": "integer", "Sysctls": "map", "Tmpfs": "map", "Init": "bool",
		"Ulimits": "list of ulimit", "LogConfig": "logConfig", "Devices": "list of device", "MemoryReservation": "integer", "MemorySwap": "integer",
		"MemorySwappiness": "integer", "PidMode": "string", "IpcMode": "string",
	},
	"ulimit":    {"Name": "!string", "Soft": "!integer", "Hard": "!integer"},
	"device":    {"PathOnHost": "!string", "PathInContainer": "!string", "CgroupPermissions": "!string"},
	"logConfig": {"Type": "string", "Config": "map"},
}

// fits reports everything in a value that an agent could not parse. Members that are ours begin with "roadstead", and say nothing to it.
func (w *world) fits(at, name string, v any) {
	w.Helper()
	o, ok := v.(object)
	if !ok {
		w.Errorf("%s is %v, and no object", at, v)
		return
	}
	for member, kind := range shapes[name] {
		kind, needed := strings.CutPrefix(kind, "!")
		x, there := o[member]
		if !there {
			if needed {
				w.Errorf("%s has no %s", at, member)
			}
			continue
		}
		w.fitsKind(at+"."+member, kind, x)
	}
	for _, member := range slices.Sorted(maps.Keys(o)) {
		if _, known := shapes[name][member]; !known && !strings.HasPrefix(member, "roadstead") {
			w.Errorf("%s.%s is nothing that an agent knows", at, member)
		}
	}
}

func (w *world) fitsKind(at, kind string, v any) {
	w.Helper()
	ok := true
	switch of, isList := strings.CutPrefix(kind, "list of "); {
	case isList:
		var l list
		if l, ok = v.(list); ok {
			for i := range l {
				w.fits(fmt.Sprintf("%s[%d]", at, i), of, l[i])
			}
		}
	case strings.HasPrefix(kind, "one of "):
		ok = slices.Contains(strings.Fields(kind)[2:], text(v))
	case strings.HasPrefix(kind, "json:"):
		w.fits(at, strings.TrimPrefix(kind, "json:"), w.parse(at, v))
	case shapes[kind] != nil:
		w.fits(at, kind, v)
	default:
		ok = isOf(kind, v)
	}
	if !ok {
		w.Errorf("%s is %v, and not %q", at, v, kind)
	}
}

// parse reads the object in a string.
func (w *world) parse(at string, v any) object {
	w.Helper()
	o := object{}
	if err := json.Unmarshal([]byte(text(v)), &o); err != nil {
		w.Errorf("%s is %v, which holds no JSON: %v", at, v, err)
	}
	return o
}

// isOf says whether a value is of one of the plain kinds.
func isOf(kind string, v any) bool {
	all := func(l any, kind string) bool {
		x, ok := l.(list)
		return ok && !slices.ContainsFunc(x, func(v any) bool { return !isOf(kind, v) })
	}
	switch kind {
	case "string":
		_, ok := v.(string)
		return ok
	case "bool":
		_, ok := v.(bool)
		return ok
	case "float":
		_, ok := v.(float64)
		return ok
	case "integer":
		n, ok := v.(float64)
		return ok && n == math.Trunc(n)
	case "strings":
		return all(v, "string")
	case "integers":
		return all(v, "integer")
	case "map":
		o, ok := v.(object)
		return ok && all(slices.Collect(maps.Values(o)), "string")
	}
	return false
}

// payload is the next one, as an agent can parse it, and the tasks in it.
func (a *agent) payload() (m object, tasks list) {
	a.w.Helper()
	m = a.acs.take("PayloadMessage")
	a.w.fits("payload", "payload", m)
	tasks, _ = m["tasks"].(list)
	return m, tasks
}

// given is the one task of the next payload, which is acknowledged.
func (a *agent) given() object {
	a.w.Helper()
	m, tasks := a.payload()
	if len(tasks) != 1 {
		a.w.Fatalf("a payload of %d tasks", len(tasks))
	}
	a.ack(m)
	return tasks[0].(object)
}
