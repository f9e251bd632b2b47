package stock_test

import (
	"maps"
	"strings"
	"testing"
)

// Everything of a container that the agent hands to Docker is in Docker's words: Config and HostConfig of its API, as JSON in strings.
func TestRenderedForDocker(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		given := a.service(w.define("web", "bridge", object{
			"image": "nginx:1.27", "cpu": 128, "memory": 256, "memoryReservation": 128, "command": list{"-g", "daemon off;"}, "entryPoint": list{"nginx"},
			"environment": list{object{"name": "A", "value": "1"}}, "workingDirectory": "/srv", "user": "101:101", "hostname": "web",
			"dnsServers": list{"10.0.0.2"}, "dnsSearchDomains": list{"example.com"}, "extraHosts": list{object{"hostname": "db", "ipAddress": "10.0.0.9"}},
			"dockerLabels": object{"team": "blue"}, "dockerSecurityOptions": list{"no-new-privileges"}, "interactive": true, "pseudoTerminal": true,
			"privileged": true, "readonlyRootFilesystem": true, "startTimeout": 60, "stopTimeout": 45,
			"ulimits":        list{object{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}},
			"systemControls": list{object{"namespace": "net.core.somaxconn", "value": "1024"}},
			"portMappings":   list{object{"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}, object{"containerPort": 53, "protocol": "udp"}},
			"mountPoints":    list{object{"sourceVolume": "host", "containerPath": "/host", "readOnly": true}, object{"sourceVolume": "empty", "containerPath": "/empty"}, object{"sourceVolume": "shared", "containerPath": "/shared"}},
			"healthCheck":    object{"command": list{"CMD-SHELL", "true"}, "interval": 10, "timeout": 3, "retries": 2, "startPeriod": 20},
			"restartPolicy":  object{"enabled": true, "ignoredExitCodes": list{0}, "restartAttemptPeriod": 120},
			"linuxParameters": object{"initProcessEnabled": true, "sharedMemorySize": 64, "maxSwap": 128, "swappiness": 10,
				"capabilities": object{"add": list{"NET_ADMIN"}, "drop": list{"MKNOD"}}, "tmpfs": list{object{"containerPath": "/tmp", "size": 32, "mountOptions": list{"noexec"}}},
				"devices": list{object{"hostPath": "/dev/fuse", "permissions": list{"read", "write"}}}},
			"logConfiguration": object{"logDriver": "json-file", "options": object{"max-size": "10m"}},
		}, object{"cpu": "512", "memory": "1024", "pidMode": "task", "ipcMode": "none", "volumes": list{
			object{"name": "host", "host": object{"sourcePath": "/srv"}}, object{"name": "empty"},
			object{"name": "shared", "dockerVolumeConfiguration": object{"scope": "shared", "autoprovision": true, "driver": "local", "labels": object{"l": "1"}}},
		}}))
		w.want("vCPUs of the task", given["cpu"], 0.5)
		w.want("MiB of the task", given["memory"], 1024)
		w.want("namespaces", text(given["pidMode"])+" "+text(given["ipcMode"]), "task none")
		w.want("whose", text(given["group"])+" "+text(given["serviceName"])+" "+text(given["launchType"]), "service:web web EXTERNAL")
		w.want("volumes", given["volumes"], list{
			object{"name": "host", "type": "host", "host": object{"sourcePath": "/srv"}}, object{"name": "empty", "type": "host", "host": object{}},
			object{"name": "shared", "type": "docker", "dockerVolumeConfiguration": object{"scope": "shared", "autoprovision": true, "driver": "local", "labels": object{"l": "1"}}},
		})
		c := dig(given, "containers", 0)
		for member, want := range map[string]any{
			"image": "nginx:1.27", "cpu": 128, "memory": 256, "essential": true, "command": list{"-g", "daemon off;"}, "entryPoint": list{"nginx"},
			"startTimeout": 60, "stopTimeout": 45, "healthCheckType": "docker",
			"environment":   object{"A": "1", "AWS_EXECUTION_ENV": "AWS_ECS_EXTERNAL", "AWS_ENDPOINT_URL": backend},
			"portMappings":  list{object{"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}, object{"containerPort": 53, "protocol": "udp"}},
			"mountPoints":   list{object{"sourceVolume": "host", "containerPath": "/host", "readOnly": true}, object{"sourceVolume": "empty", "containerPath": "/empty"}, object{"sourceVolume": "shared", "containerPath": "/shared"}},
			"restartPolicy": object{"enabled": true, "ignoredExitCodes": list{0}, "restartAttemptPeriod": 120},
		} {
			w.want(member, dig(c, member), want)
		}
		arn := text(given["arn"])
		w.want("Config", w.parse("config", dig(c, "dockerConfig", "config")), object{
			"Hostname": "web", "User": "101:101", "WorkingDir": "/srv", "Tty": true, "OpenStdin": true,
			"Labels": object{"team": "blue", "com.amazonaws.ecs.cluster": "arn:aws:ecs:us-east-1:000000000000:cluster/default", "com.amazonaws.ecs.container-name": "app",
				"com.amazonaws.ecs.task-arn": arn, "com.amazonaws.ecs.task-definition-family": "web", "com.amazonaws.ecs.task-definition-version": "1"},
			"Healthcheck": object{"Test": list{"CMD-SHELL", "true"}, "Interval": 10e9, "Timeout": 3e9, "StartPeriod": 20e9, "Retries": 2},
		})
		w.want("HostConfig", w.parse("hostConfig", dig(c, "dockerConfig", "hostConfig")), object{
			"CapAdd": list{"NET_ADMIN"}, "CapDrop": list{"MKNOD"}, "Dns": list{"10.0.0.2"}, "DnsSearch": list{"example.com"}, "ExtraHosts": list{"db:10.0.0.9"},
			"Privileged": true, "ReadonlyRootfs": true, "SecurityOpt": list{"no-new-privileges"}, "ShmSize": 64 << 20, "Sysctls": object{"net.core.somaxconn": "1024"},
			"Tmpfs": object{"/tmp": "size=32m,noexec"}, "Init": true, "Ulimits": list{object{"Name": "nofile", "Soft": 1024, "Hard": 4096}},
			"LogConfig":         object{"Type": "json-file", "Config": object{"max-size": "10m", "mode": "non-blocking", "max-buffer-size": "10m"}},
			"Devices":           list{object{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rw"}},
			"MemoryReservation": 128 << 20, "MemorySwap": 384 << 20, "MemorySwappiness": 10,
		})
	})
}

// Docker's awslogs driver names streams by awslogs-stream alone, refuses options that it does not know, and sends to AWS unless it is
// told otherwise; the agent hands it the execution role only if the payload says so.
func TestAwslogs(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		execution := w.role("execution", "logs:PutLogEvents")
		logs := object{"logDriver": "awslogs", "options": object{"awslogs-group": "/web", "awslogs-region": region, "awslogs-stream-prefix": "p", "awslogs-create-group": "true"}}
		given := a.service(w.define("web", "bridge", object{"logConfiguration": logs}, object{"executionRoleArn": execution}))
		c := dig(given, "containers", 0)
		w.want("with the execution role", dig(c, "logsAuthStrategy"), "ExecutionRole")
		id := text(given["arn"])
		w.want("the driver", dig(w.parse("hostConfig", dig(c, "dockerConfig", "hostConfig")), "LogConfig"), object{"Type": "awslogs", "Config": object{
			"awslogs-group": "/web", "awslogs-region": region, "awslogs-create-group": "true", "awslogs-stream": "p/app/" + id[strings.LastIndexByte(id, '/')+1:],
			"awslogs-endpoint": backend, "mode": "non-blocking", "max-buffer-size": "10m"}})

		given = a.service(w.define("alone", "host", object{"logConfiguration": object{"logDriver": "awslogs", "options": object{"awslogs-group": "/web", "awslogs-region": region, "mode": "blocking"}}}, nil))
		c = dig(given, "containers", 0)
		w.want("without a role", dig(c, "logsAuthStrategy"), nil)
		w.want("the driver", dig(w.parse("hostConfig", dig(c, "dockerConfig", "hostConfig")), "LogConfig", "Config"),
			object{"awslogs-group": "/web", "awslogs-region": region, "awslogs-endpoint": backend, "mode": "blocking"})
	})
}

// Order, links and shared volumes are the agent's own to keep.
func TestSeveralContainers(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		w.root.ecs("RegisterTaskDefinition", object{"family": "pair", "networkMode": "bridge", "containerDefinitions": list{
			object{"name": "app", "image": "app:1", "memory": 64, "essential": true, "links": list{"db:database"}, "volumesFrom": list{object{"sourceContainer": "db", "readOnly": true}},
				"dependsOn":        list{object{"containerName": "init", "condition": "SUCCESS"}, object{"containerName": "db", "condition": "HEALTHY"}},
				"environmentFiles": list{object{"type": "s3", "value": "arn:aws:s3:::bucket/app.env"}}},
			object{"name": "db", "image": "db:1", "memory": 64, "essential": false, "healthCheck": object{"command": list{"CMD", "true"}}},
			object{"name": "init", "image": "init:1", "memory": 64, "essential": false, "disableNetworking": true},
		}, "executionRoleArn": w.role("execution", "s3:GetObject")})
		task := w.run("pair")
		given := a.given()
		app := dig(given, "containers", 0)
		w.want("links", dig(app, "links"), list{"db:database"})
		w.want("volumesFrom", dig(app, "volumesFrom"), list{object{"sourceContainer": "db", "readOnly": true}})
		w.want("dependsOn", dig(app, "dependsOn"), list{object{"containerName": "init", "condition": "SUCCESS"}, object{"containerName": "db", "condition": "HEALTHY"}})
		w.want("environmentFiles", dig(app, "environmentFiles"), list{object{"type": "s3", "value": "arn:aws:s3:::bucket/app.env"}})
		w.want("the network of the one without", w.parse("hostConfig", dig(given, "containers", 2, "dockerConfig", "hostConfig"))["NetworkMode"], "none")
		w.want("it is not told where nothing can be reached", dig(given, "containers", 2, "environment", "AWS_ENDPOINT_URL"), nil)

		// what one container does comes with the task's status as it was, until that changes
		a.submit(task, "PENDING", nil, object{"containerName": "init", "status": "RUNNING"}, object{"containerName": "init", "status": "STOPPED", "exitCode": 0})
		a.submit(task, "PENDING", nil, object{"containerName": "db", "status": "RUNNING"})
		w.wantStatus(task, "ACTIVATING")
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})
		w.wantStatus(task, "RUNNING")
		a.submit(task, "RUNNING", nil, object{"containerName": "db", "status": "STOPPED", "exitCode": 1, "reason": ""})
		w.wantStatus(task, "RUNNING") // it was not essential
		a.submit(task, "STOPPED", nil, object{"containerName": "app", "status": "STOPPED", "exitCode": 0})
		d := w.describe(task)
		w.want("why", text(d["stopCode"])+" "+text(d["stoppedReason"]), "EssentialContainerExited Essential container in task exited")
	})
}

// What the agent cannot do is not placed there: it has no network interfaces of tasks outside EC2, and no FARGATE.
func TestNotPlaced(t *testing.T) {
	inWorld(t, func(w *world) {
		w.joined()
		vpc := object{"awsvpcConfiguration": object{"subnets": list{"subnet-1"}}}
		w.define("vpc", "awsvpc", nil, nil)
		w.define("files", "bridge", object{"mountPoints": list{object{"sourceVolume": "v", "containerPath": "/v"}}}, object{"executionRoleArn": w.role("execution", "ssm:GetParameters"),
			"volumes": list{object{"name": "v", "dockerVolumeConfiguration": object{"scope": "task", "driver": "roadstead-secret", "driverOpts": object{"secret": "/app"}}}}})
		for family, more := range map[string]object{"vpc": {"launchType": "EC2", "networkConfiguration": vpc}, "files": {}} {
			in := object{"cluster": cluster, "taskDefinition": family}
			maps.Copy(in, more)
			out, err := w.root.try("ecs", "RunTask", in)
			if err != nil || text(dig(out, "failures", 0, "reason")) != "ATTRIBUTE" {
				t.Errorf("%s: %v %v", family, out, err)
			}
		}
	})
}
