package stock_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// role makes a role that tasks may have, with what it may do, and returns its ARN.
func (w *world) role(name, actions string) string {
	w.Helper()
	w.root.iam("CreateRole", "RoleName", name, "AssumeRolePolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	w.root.iam("PutRolePolicy", "RoleName", name, "PolicyName", "may", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["`+strings.ReplaceAll(actions, " ", `","`)+`"],"Resource":"*"}]}`)
	return "arn:aws:iam::000000000000:role/" + name
}

// with is a caller with the credentials of a role, as they came.
func (w *world) with(credentials any) caller {
	w.Helper()
	w.fits("credentials", "credentials", credentials)
	c := func(name string) string { return text(dig(credentials, name)) }
	return caller{w, aws.Credentials{AccessKeyID: c("accessKeyId"), SecretAccessKey: c("secretAccessKey"), SessionToken: c("sessionToken")}}
}

// service makes a service of one task, and returns the task's payload.
func (a *agent) service(family string) object {
	a.w.Helper()
	a.w.root.ecs("CreateService", object{"cluster": cluster, "serviceName": family, "taskDefinition": family, "desiredCount": 1, "launchType": "EXTERNAL"})
	return a.given()
}

// Credentials come with the payload, under ids that stay; the agent acknowledges them, and works with them: the task's metadata endpoint
// signs its calls with the task role's.
func TestRoleCredentials(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		own, execution := w.role("own", "ecs:GetTaskProtection ecs:UpdateTaskProtection"), w.role("execution", "ssm:GetParameters ecr:GetAuthorizationToken")
		given := a.service(w.define("web", "bridge", nil, object{"taskRoleArn": own, "executionRoleArn": execution}))
		task := text(given["arn"])
		w.want("task role", dig(given, "roleCredentials", "roleArn"), own)
		w.want("execution role", dig(given, "executionRoleCredentials", "roleArn"), execution)
		for _, c := range []string{"roleCredentials", "executionRoleCredentials"} {
			a.acs.send("IAMRoleCredentialsAckRequest", object{"messageId": "m", "credentialsId": dig(given, c, "credentialsId"), "expiration": dig(given, c, "expiration")})
			expires, err := time.Parse(time.RFC3339, text(dig(given, c, "expiration")))
			if err != nil || time.Until(expires) < 15*time.Minute {
				w.Errorf("%s expire %v: %v", c, dig(given, c, "expiration"), err)
			}
		}
		a.submit(task, "RUNNING", nil, object{"containerName": "app", "status": "RUNNING"})

		me := w.with(given["roleCredentials"])
		out := me.ecs("UpdateTaskProtection", object{"cluster": cluster, "tasks": list{task}, "protectionEnabled": true, "expiresInMinutes": 10})
		w.want("protected", dig(out, "protectedTasks", 0, "protectionEnabled"), true)
		out = me.ecs("GetTaskProtection", object{"cluster": cluster, "tasks": list{task}})
		w.want("as it is told", dig(out, "protectedTasks", 0, "taskArn"), task)
		_, err := w.with(given["executionRoleCredentials"]).try("ecs", "UpdateTaskProtection", object{"cluster": cluster, "tasks": list{task}, "protectionEnabled": true})
		w.want("with the other role", refusedAs(err), "AccessDeniedException")

		a.renewed(given, 5*time.Hour)

		// another process of the agent has none: it says sendCredentials=true, and is sent those of all its tasks
		a.acs.leave()
		a.seen = false
		a.register()
		a.connect()
		a.ack(a.acs.take("TaskManifestMessage"))
		again := a.given()
		w.want("task", again["arn"], task)
		w.want("id", dig(again, "roleCredentials", "credentialsId"), dig(given, "roleCredentials", "credentialsId"))
		w.with(again["roleCredentials"]).ecs("GetTaskProtection", object{"cluster": cluster, "tasks": list{task}})
		w.wantStatus(task, "RUNNING")
	})
}

// renewed lets a long time pass, in which credentials of the task come again and again before the last ones expire, under the same ids,
// by which containers ask for them.
func (a *agent) renewed(given object, long time.Duration) {
	w := a.w
	w.Helper()
	task := text(given["arn"])
	expires := map[string]string{"TaskApplication": text(dig(given, "roleCredentials", "expiration")), "TaskExecution": text(dig(given, "executionRoleCredentials", "expiration"))}
	ids := map[string]any{"TaskApplication": dig(given, "roleCredentials", "credentialsId"), "TaskExecution": dig(given, "executionRoleCredentials", "credentialsId")}
	count := 0
	for began := time.Now(); time.Since(began) < long; w.pass(time.Minute) {
		for m := a.acs.look("IAMRoleCredentialsMessage"); m != nil; m = a.acs.look("IAMRoleCredentialsMessage") {
			w.fits("renewal", "renewal", m)
			count++
			kind, next := text(m["roleType"]), text(dig(m, "roleCredentials", "expiration"))
			w.want("of the task", m["taskArn"], task)
			w.want("id", dig(m, "roleCredentials", "credentialsId"), ids[kind])
			if next <= expires[kind] {
				w.Errorf("%s: they expire %s, the last ones %s", kind, next, expires[kind])
			}
			expires[kind] = next
			a.acs.send("IAMRoleCredentialsAckRequest", object{"messageId": m["messageId"], "credentialsId": ids[kind], "expiration": next})
			if kind == "TaskApplication" {
				w.with(m["roleCredentials"]).ecs("GetTaskProtection", object{"cluster": cluster, "tasks": list{task}})
			}
		}
		for kind, at := range expires {
			if t, err := time.Parse(time.RFC3339, at); err != nil || time.Until(t) < 5*time.Minute {
				w.Fatalf("%s: the task's credentials expire %s, and there are no others: %v", kind, at, err)
			}
		}
	}
	if count < 4 {
		w.Errorf("%d renewals of two roles in %v", count, long)
	}
}

// The agent itself gets what a container's secrets are, with the execution role: of Parameter Store and of Secrets Manager.
func TestSecrets(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		if _, err := w.root.try("ssm", "PutParameter", object{"Name": "/app/user", "Value": "eve", "Type": "String"}); err != nil {
			t.Fatal(err)
		}
		made, err := w.root.try("secretsmanager", "CreateSecret", object{"Name": "app", "SecretString": `{"password":"pw"}`, "ClientRequestToken": "11111111-1111-1111-1111-111111111111"})
		if err != nil {
			t.Fatal(err)
		}
		arn := text(made["ARN"])
		execution := w.role("execution", "ssm:GetParameters secretsmanager:GetSecretValue")
		given := a.service(w.define("web", "bridge", object{
			"secrets":          list{object{"name": "USER", "valueFrom": "/app/user"}, object{"name": "PASSWORD", "valueFrom": arn + ":password::"}},
			"logConfiguration": object{"logDriver": "syslog", "secretOptions": list{object{"name": "tag", "valueFrom": "/app/user"}}},
		}, object{"executionRoleArn": execution}))
		secrets := dig(given, "containers", 0, "secrets")
		w.want("secrets", secrets, list{
			object{"name": "USER", "valueFrom": "/app/user", "provider": "ssm", "type": "ENVIRONMENT_VARIABLE", "target": "CONTAINER", "region": region},
			object{"name": "PASSWORD", "valueFrom": arn + ":password::", "provider": "asm", "type": "ENVIRONMENT_VARIABLE", "target": "CONTAINER", "region": region},
			object{"name": "tag", "valueFrom": "/app/user", "provider": "ssm", "type": "ENVIRONMENT_VARIABLE", "target": "LOG_DRIVER", "region": region},
		})
		node := w.with(given["executionRoleCredentials"])
		out, err := node.try("ssm", "GetParameters", object{"Names": list{"/app/user"}, "WithDecryption": true})
		if err != nil || text(dig(out, "Parameters", 0, "Value")) != "eve" {
			t.Errorf("GetParameters: %v %v", out, err)
		}
		out, err = node.try("secretsmanager", "GetSecretValue", object{"SecretId": arn})
		if err != nil || text(out["SecretString"]) != `{"password":"pw"}` {
			t.Errorf("GetSecretValue: %v %v", out, err)
		}
	})
}

// Images of this registry are pulled with a token of ECR's, which the agent asks this API for, with the execution role if there is one.
// A private registry's login is a secret.
func TestPullCredentials(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.joined()
		execution := w.role("execution", "ecr:GetAuthorizationToken secretsmanager:GetSecretValue")
		image := strings.TrimPrefix(backend, "http://") + "/app:1"
		given := a.service(w.define("ours", "bridge", object{"image": image}, object{"executionRoleArn": execution}))
		auth := dig(given, "containers", 0, "registryAuthentication")
		w.want("of our registry", auth, object{"type": "ecr", "ecrAuthData": object{"region": region, "registryId": account, "endpointOverride": backend, "useExecutionRole": true}})
		out, err := w.with(given["executionRoleCredentials"]).try("ecr", "GetAuthorizationToken", object{"registryIds": list{account}})
		if err != nil || text(dig(out, "authorizationData", 0, "authorizationToken")) == "" {
			t.Errorf("GetAuthorizationToken with the execution role: %v %v", out, err)
		}

		given = a.service(w.define("alone", "bridge", object{"image": image}, nil))
		w.want("without a role", dig(given, "containers", 0, "registryAuthentication", "ecrAuthData", "useExecutionRole"), nil)
		if _, err := a.try("ecr", "GetAuthorizationToken", object{"registryIds": list{account}}); err != nil {
			t.Errorf("GetAuthorizationToken with the node's keys: %v", err)
		}

		secret := "arn:aws:secretsmanager:us-east-1:000000000000:secret:login-AbCdEf"
		given = a.service(w.define("private", "bridge", object{"image": "images.example/app:1", "repositoryCredentials": object{"credentialsParameter": secret}}, object{"executionRoleArn": execution}))
		w.want("of a private registry", dig(given, "containers", 0, "registryAuthentication"), object{"type": "asm", "asmAuthData": object{"credentialsParameter": secret, "region": region}})
		given = a.service(w.define("public", "bridge", nil, nil))
		w.want("of others", dig(given, "containers", 0, "registryAuthentication"), nil)
	})
}

// A role that ECS may not be keeps a task from starting.
func TestUnassumableRole(t *testing.T) {
	inWorld(t, func(w *world) {
		w.joined()
		role := w.role("own", "ecs:GetTaskProtection")
		family := w.define("web", "bridge", nil, object{"taskRoleArn": role})
		w.root.iam("DeleteRolePolicy", "RoleName", "own", "PolicyName", "may")
		w.root.iam("DeleteRole", "RoleName", "own")
		_, err := w.root.try("ecs", "RunTask", object{"cluster": cluster, "taskDefinition": family, "launchType": "EXTERNAL"})
		w.want("RunTask", refusedAs(err), "ClientException")
	})
}
