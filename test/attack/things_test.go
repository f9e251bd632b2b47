package attack_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// secret stands in what alpha's things contain, and in names that beta never says: no answer to beta may show it.
const secret = "sesame"

// furnish gives alpha one of everything, and a hidden one of what has a name.
func furnish(t *testing.T, s *server.Server) {
	t.Helper()
	by := clients(s, alpha, http.DefaultTransport)
	type members = map[string]any
	call := func(service, op string, in members) {
		t.Helper()
		o := operation{service, op, by[service].MethodByName(op)}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		input := o.newInput()
		if err := json.Unmarshal(text, input.Interface()); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
		if _, err := o.try(t.Context(), input); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
	tags := []members{{"key": "k", "value": secret}}
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	const document = `{"Version":"2012-10-17","Statement":[{"Sid":"` + secret + `","Effect":"Allow","Action":"*","Resource":"*"}]}`
	for _, name := range []string{"thing", secret + "-thing"} {
		call("ecs", "CreateCluster", members{"clusterName": name, "tags": tags})
		call("ecs", "RegisterTaskDefinition", members{"family": name, "containerDefinitions": []members{{
			"name": "thing", "image": "i", "memory": 16, "environment": []members{{"name": "A", "value": secret}}}}})
		call("ecs", "CreateService", members{"cluster": name, "serviceName": name, "taskDefinition": name, "desiredCount": 0, "tags": tags})
		call("ecs", "CreateService", members{"cluster": name, "serviceName": name + "-ext", "deploymentController": members{"type": "EXTERNAL"}})
		call("ecs", "CreateTaskSet", members{"cluster": name, "service": name + "-ext", "taskDefinition": name})
		call("ecs", "RegisterContainerInstance", members{"cluster": name, "totalResources": []members{
			{"name": "CPU", "type": "INTEGER", "integerValue": 4096}, {"name": "MEMORY", "type": "INTEGER", "integerValue": 4096}}})
		call("ecr", "CreateRepository", members{"repositoryName": name, "tags": []members{{"Key": "k", "Value": secret}}})
		call("logs", "CreateLogGroup", members{"logGroupName": name, "tags": members{"k": secret}})
		call("logs", "CreateLogStream", members{"logGroupName": name, "logStreamName": name})
		call("logs", "PutLogEvents", members{"logGroupName": name, "logStreamName": name, "logEvents": []members{
			{"timestamp": time.Now().UnixMilli(), "message": secret}}})
		call("ssm", "PutParameter", members{"Name": "/" + name, "Value": secret, "Type": "SecureString", "Description": secret})
		call("secretsmanager", "CreateSecret", members{"Name": name, "SecretString": secret, "Description": secret})
		call("kms", "CreateKey", members{"Description": secret, "Tags": []members{{"TagKey": "k", "TagValue": secret}}})
		call("iam", "CreateUser", members{"UserName": name, "Tags": []members{{"Key": "k", "Value": secret}}})
		call("iam", "CreateAccessKey", members{"UserName": name})
		call("iam", "PutUserPolicy", members{"UserName": name, "PolicyName": name, "PolicyDocument": document})
		call("iam", "CreateGroup", members{"GroupName": name})
		call("iam", "CreateRole", members{"RoleName": name, "AssumeRolePolicyDocument": trust, "Description": secret})
		call("iam", "CreatePolicy", members{"PolicyName": name, "PolicyDocument": document})
		call("iam", "CreateInstanceProfile", members{"InstanceProfileName": name})
		call("s3", "CreateBucket", members{"Bucket": name})
		call("s3", "PutObject", members{"Bucket": name, "Key": name, "Metadata": members{"k": secret}})
		call("s3", "CreateMultipartUpload", members{"Bucket": name, "Key": name, "Metadata": members{"k": secret}})
	}
	call("iam", "CreateOpenIDConnectProvider", members{"Url": "https://thing.example", "ClientIDList": []string{"thing"}})
	err := s.DB().Update(t.Context(), func(tx *state.Tx) error { // nobody is connected: tasks stay PENDING
		for i := range tx.Instances.All() {
			row := *i
			row.AgentConnected = true
			tx.Instances.Put(&row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"thing", secret + "-thing"} {
		call("ecs", "RunTask", members{"cluster": name, "taskDefinition": name, "startedBy": "thing"})
	}
	settle(t, s.DB())
}

// settle waits until the services are steady: then nothing changes by itself.
func settle(t *testing.T, db *state.DB) {
	t.Helper()
	now, c := db.Watch()
	for tables := now.Tables; ; {
		steady := true
		for s := range tables.Services.All() {
			steady = steady && s.Steady != 0
		}
		if steady {
			return
		}
		r, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tables = r.Snapshot.Tables
	}
}

var arns = regexp.MustCompile(`arn:aws:[a-z-]+:[a-z0-9-]*:` + alpha + `:[^"\\* ]+`)

// guesses are the names and ARNs of alpha's things that are not hidden, and some words that calls are made of.
func guesses(found map[string]string) []guess {
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	out := []guess{
		{"document", document}, {"policytext", document}, {"policyinputlist", document}, {"scope", ""},
		{"assumerolepolicydocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`},
		{"token", strings.Repeat("0123456789abcdef", 2)}, {"message", "hello"}, {"pattern", "x"}, {"query", "fields @message"},
		{"url", "https://thing.example"}, {"image", "i"}, {"tag", "k"}, {"digest", "sha256:" + strings.Repeat("0", 64)},
		{"name", "thing"}, {"cluster", "thing"}, {"service", "thing"}, {"taskdefinition", "thing:1"}, {"family", "thing"}, {"group", "thing"},
		{"registryid", alpha}, {"account", alpha}, {"path", "/"}, {"targetid", "thing"}, {"bucket", "thing"}, {"key", "thing"}, {"copysource", "thing/thing"}, {"prefix", ""}, {"actionname", "ecs:RunTask"}, {"versionid", "v1"},
	}
	seen := map[string]bool{}
	for _, row := range found {
		for _, arn := range arns.FindAllString(row, -1) {
			if seen[arn] || strings.Contains(arn, secret) {
				continue
			}
			seen[arn] = true
			kind, _, _ := strings.Cut(strings.SplitN(arn, ":", 6)[5], "/")
			kind, _, _ = strings.Cut(kind, ":")
			noun := strings.ReplaceAll(strings.ReplaceAll(kind, "oidc", "openidconnect"), "-", "")
			out = append(out, guess{noun, arn}, guess{noun + "arn", arn}, guess{"arn", arn})
			if _, id, ok := strings.Cut(arn, "/"); ok {
				out = append(out, guess{noun, id[strings.LastIndexByte(id, '/')+1:]})
			}
		}
		var key struct {
			ID string `json:"id"`
		}
		if json.Unmarshal([]byte(row), &key) == nil && key.ID != "" && !strings.Contains(row, `"`+secret+"-") {
			out = append(out, guess{"id", key.ID})
		}
	}
	return out
}
