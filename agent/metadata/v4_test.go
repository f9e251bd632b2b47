package metadata_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/metadata"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

// webTask is a task in awsvpc that runs and of which much is known.
func webTask() task.View {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC)
	v := view("t1", "awsvpc", "=10.0.0.4")
	v.Task.Family, v.Task.Version, v.Task.LaunchType, v.Task.ServiceName, v.Task.CPU, v.Task.Memory = "web", "7", "EC2", "web", 0.25, 512
	v.Task.NetworkInterfaces = []acs.ENI{{DomainServers: []string{"10.0.0.2"}, PrivateDNSName: "ip-10-0-0-4.ec2.internal"}}
	v.Task.Volumes = []acs.Volume{{Name: "disk", Host: &acs.HostVolume{SourcePath: "/srv"}}, {Name: "scratch", Host: &acs.HostVolume{}}}
	c := &v.Task.Containers[0]
	c.Image, c.CPU, c.Arn = "nginx:1", 128, "arn:c"
	c.MountPoints = []acs.MountPoint{{SourceVolume: "disk", ContainerPath: "/a"}, {SourceVolume: "scratch", ContainerPath: "/b"}}
	c.Docker.Config, c.Docker.HostConfig = `{"Labels":{"a":"b"}}`, `{"LogConfig":{"Type":"json-file","Config":{"max-size":"1m"}}}`
	v.State.Nets[0].Sandbox.MAC, v.State.Nets[0].Sandbox.Gateway = "02:00", "10.0.0.1"
	v.State.Containers = []task.Container{{
		Name: "app", Phase: task.PhaseRunning, Digest: "sha256:1", PullStartedAt: at, PullStoppedAt: at.Add(time.Second), CreatedAt: at.Add(1500 * time.Millisecond),
		StartedAt: at.Add(2 * time.Second), Vitals: task.Vitals{Health: "HEALTHY", Since: at.Add(3 * time.Second), Output: "well\n"},
	}}
	return v
}

// get asks with the id in place of ID, from an address.
func get(s *metadata.Server, path, id, from string) (status int, body string) {
	r := httptest.NewRequest(http.MethodPost, strings.Replace(path, "ID", id, 1), nil) // any method [O]
	r.RemoteAddr = from + ":1234"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

const (
	shownFirst = `{"DockerId":"t1-app","Name":"app","DockerName":"ecs-web-7-app-t1","Image":"nginx:1","ImageID":"sha256:1","Labels":{"a":"b"},` +
		`"DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":128,"Memory":0},"CreatedAt":"2026-01-02T03:04:06.506Z",` +
		`"StartedAt":"2026-01-02T03:04:07.006Z","Type":"NORMAL","Health":{"status":"HEALTHY","statusSince":"2026-01-02T03:04:08.006Z","output":"well\n"},` +
		`"Volumes":[{"Source":"/srv","Destination":"/a"},{"DockerName":"scratch","Destination":"/b"}],`
	shownV3 = shownFirst + `"Networks":[{"NetworkMode":"awsvpc","IPv4Addresses":["10.0.0.4"]}]}`
	shownV4 = shownFirst + `"LogDriver":"json-file","LogOptions":{"max-size":"1m"},"ContainerARN":"arn:c",` +
		`"Networks":[{"NetworkMode":"awsvpc","IPv4Addresses":["10.0.0.4"],"AttachmentIndex":0,"MACAddress":"02:00","IPv4SubnetCIDRBlock":"10.0.0.0/16",` +
		`"DomainNameServers":["10.0.0.2"],"PrivateDNSName":"ip-10-0-0-4.ec2.internal","SubnetGatewayIpv4Address":"10.0.0.1/16"}]}`
	taskFirst = `{"Cluster":"default","TaskARN":"` + arnPrefix + `t1","Family":"web","Revision":"7",`
	taskThen  = `"DesiredStatus":"RUNNING","KnownStatus":"RUNNING","Limits":{"CPU":0.25,"Memory":512},"PullStartedAt":"2026-01-02T03:04:05.006Z",` +
		`"PullStoppedAt":"2026-01-02T03:04:06.006Z","AvailabilityZone":"us-east-1a",`
)

// [D] AGENT-PROTOCOL §4.2: what versions 3 and 4 show of a container and its task; unknown ids [O] of version 4.
func TestMetadata(t *testing.T) {
	v := webTask()
	s := metadata.New(metadata.Config{
		Secret: []byte("secret"), Zone: "us-east-1a", Subnet: netip.MustParsePrefix("10.0.0.0/16"), Snapshotter: "overlayfs",
		Tasks: func() []task.View { return []task.View{v} },
		Storage: func(taskID string) (int64, int64, bool) {
			return 261, 20496, taskID == "t1" && v.Task.LaunchType == "FARGATE"
		},
	})
	id := s.ID("t1", "app")
	for _, c := range []struct {
		rule, path, from string
		status           int
		want             string
	}{
		{"container", "/v4/ID", "10.0.0.4", 200, shownV4},
		{"task", "/v4/ID/task", "10.0.0.4", 200, taskFirst + `"ServiceName":"web",` + taskThen + `"LaunchType":"EC2","Containers":[` + shownV4 + `],"FaultInjectionEnabled":false}`},
		{"container", "/v3/ID", "10.0.0.4", 200, shownV3},
		{"task", "/v3/ID/task", "10.0.0.4", 200, taskFirst + taskThen + `"Containers":[` + shownV3 + `]}`},
		{"another's", "/v4/ID/task", "10.0.0.5", 404, `"V4 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: ` + id + `"`},
		{"unknown", "/v4/nope", "10.0.0.4", 404, `"V4 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: nope"`},
		{"another's", "/v3/ID/task", "10.0.0.5", 500, `"V3 task metadata handler: unable to get task arn from request: unable to get task Arn from v3 endpoint ID: ` + id + `"`},
		{"unknown", "/v3/nope", "10.0.0.4", 500, `"V3 container metadata handler: unable to get container ID from request: unable to get docker ID from v3 endpoint ID: nope"`},
		{"no device", "/v4/ID/associations/elastic-inference", "10.0.0.4", 200, `{"Associations":[]}`},
		{"no such device", "/v3/ID/associations/elastic-inference/d", "10.0.0.4", 400,
			`"Unable to write container association response: association not found: elastic-inference d of task ` + arnPrefix + `t1"`},
		{"another's devices", "/v4/ID/associations/elastic-inference", "10.0.0.5", 400,
			`"V4 container associations handler: unable to get container id from request: unable to get docker ID from v3 endpoint ID: ` + id + `"`},
		{"not served", "/v4/ID/nothing", "10.0.0.4", 404, "404 page not found"},
	} {
		if status, got := get(s, c.path, id, c.from); status != c.status || got != c.want {
			t.Errorf("%s of %s\n got %d %s\nwant %d %s", c.rule, c.path, status, got, c.status, c.want)
		}
	}
	env := s.Environment("h", "t1", "app")
	if env["ECS_CONTAINER_METADATA_URI"] != "http://h/v3/"+id || env["ECS_CONTAINER_METADATA_URI_V4"] != "http://h/v4/"+id || env["ECS_AGENT_URI"] != "http://h/api/"+id {
		t.Errorf("environment %v", env)
	}
	v.Task.LaunchType = "FARGATE"
	if _, got := get(s, "/v4/ID/task", id, "10.0.0.4"); !strings.Contains(got, `"ClockDrift":{`) || !strings.Contains(got, `"Snapshotter":"overlayfs"`) ||
		!strings.Contains(got, `"EphemeralStorageMetrics":{"Utilized":261,"Reserved":20496}`) {
		t.Errorf("on FARGATE it sees %s", got)
	}
	if _, got := get(s, "/v3/ID/task", id, "10.0.0.4"); strings.Contains(got, "Ephemeral") {
		t.Errorf("on FARGATE it sees %s in version 3", got)
	}
}

// [D] AGENT-PROTOCOL §4.2: tags that cannot be had are said to be missing, and do no harm.
func TestTags(t *testing.T) {
	v := webTask()
	answers := map[string]string{"arn:instance": `{"tags":[{"key":"rack","value":"7"}]}`, arnPrefix + "t1": `{"tags":[{"key":"team","value":"web"}]}`}
	var refusal error
	s := metadata.New(metadata.Config{
		Secret: []byte("secret"), Tasks: func() []task.View { return []task.View{v} }, Instance: func() string { return "arn:instance" },
		Call: func(_ context.Context, op string, in, out any) error {
			arn := in.(map[string]string)["resourceArn"]
			if refusal != nil && arn == arnPrefix+"t1" {
				return refusal
			}
			return json.Unmarshal([]byte(answers[arn]), out)
		},
	})
	type shown struct {
		TaskTags, ContainerInstanceTags map[string]string
		Errors                          []map[string]any
	}
	look := func() (out shown) {
		status, body := get(s, "/v4/ID/taskWithTags", s.ID("t1", "app"), "10.0.0.4")
		if err := json.Unmarshal([]byte(body), &out); err != nil || status != 200 {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		return out
	}
	if got := look(); got.TaskTags["team"] != "web" || got.ContainerInstanceTags["rack"] != "7" || got.Errors != nil {
		t.Errorf("tags: %+v", got)
	}
	for err, want := range map[error]string{
		model.Errorf("InvalidParameterException", "no"): "InvalidParameterException no 400",
		errors.New("connection refused"):                "ServerException The control plane cannot be reached. 500",
	} {
		refusal = err
		got := look()
		if got.TaskTags != nil || got.ContainerInstanceTags["rack"] != "7" || len(got.Errors) != 1 {
			t.Fatalf("%v: tags %+v", err, got)
		}
		e := got.Errors[0]
		if text := strings.TrimSpace(strings.Join([]string{e["ErrorCode"].(string), e["ErrorMessage"].(string), string(json.RawMessage(jsonText(e["StatusCode"])))}, " ")); text != want ||
			e["ErrorField"] != "TaskTags" || e["ResourceARN"] != arnPrefix+"t1" || len(e["RequestId"].(string)) != 36 {
			t.Errorf("%v: error %v", err, e)
		}
	}
}

// [D] AGENT-PROTOCOL §4.2: version 2 knows a task in awsvpc by its address, and nobody else.
func TestMetadataByAddress(t *testing.T) {
	v, other := webTask(), view("t2", "bridge", "app=10.0.0.6")
	s := metadata.New(metadata.Config{
		Secret: []byte("secret"), Zone: "us-east-1a", Tasks: func() []task.View { return []task.View{v, other} }, Instance: func() string { return "i" },
		Stats: func(*task.View, int) any { return map[string]int{"cpu": 1} },
		Call: func(_ context.Context, _ string, _, out any) error {
			return json.Unmarshal([]byte(`{"tags":[{"key":"a","value":"b"}]}`), out)
		},
	})
	whole := taskFirst + taskThen + `"Containers":[` + shownV3 + `]}`
	for _, c := range []struct {
		rule, path, from string
		status           int
		want             string
	}{
		{"task", "/v2/metadata", "10.0.0.4", 200, whole},
		{"task, with a slash", "/v2/metadata/", "10.0.0.4", 200, whole},
		{"with tags", "/v2/metadataWithTags", "10.0.0.4", 200, strings.Replace(whole, `"Containers"`, `"TaskTags":{"a":"b"},"ContainerInstanceTags":{"a":"b"},"Containers"`, 1)},
		{"container", "/v2/metadata/t1-app", "10.0.0.4", 200, shownV3},
		{"another container", "/v2/metadata/t2-app", "10.0.0.4", 400, `"Unable to generate metadata for container 't2-app'"`},
		{"stats", "/v2/stats", "10.0.0.4", 200, `{"t1-app":{"cpu":1}}`},
		{"of a container", "/v2/stats/t1-app", "10.0.0.4", 200, `{"cpu":1}`},
		{"of another", "/v2/stats/t2-app", "10.0.0.4", 400, `"Unable to get container stats for: t2-app"`},
		{"bridge", "/v2/metadata", "10.0.0.6", 400, `"Unable to get task arn from request: unable to associate '10.0.0.6' with task"`},
		{"nobody", "/v2/stats", "10.0.0.9", 400, `"Unable to get task arn from request: unable to associate '10.0.0.9' with task"`},
	} {
		if status, got := get(s, c.path, "", c.from); status != c.status || got != c.want {
			t.Errorf("%s\n got %d %s\nwant %d %s", c.rule, status, got, c.status, c.want)
		}
	}
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// [O] SEMANTICS §11.6, AGENT-PROTOCOL §4.2: the errors' bodies; [D] what an SDK reads. Only the task's own containers get them.
func TestCredentials(t *testing.T) {
	v, fresh, none := webTask(), view("t2", "bridge", "app=10.0.0.6"), view("t3", "bridge", "app=10.0.0.7")
	v.Task.RoleCredentials = &acs.RoleCreds{CredentialsID: "c1", RoleArn: "arn:role", AccessKeyID: "AKIA", SecretAccessKey: "secret", SessionToken: "token", Expiration: "2026-01-02T09:00:00Z"}
	fresh.Task.RoleCredentials = &acs.RoleCreds{CredentialsID: "c2", RoleArn: "arn:role"}
	s := metadata.New(metadata.Config{Secret: []byte("secret"), Tasks: func() []task.View { return []task.View{v, fresh, none} }})
	const notFound = `{"code":"InvalidIdInRequest","message":"CredentialsV2Request: Credentials not found","HTTPErrorCode":400}`
	for _, c := range []struct {
		rule, path, from string
		status           int
		want             string
	}{
		{"its own", "/v2/credentials/c1", "10.0.0.4", 200, `{"RoleArn":"arn:role","AccessKeyId":"AKIA","SecretAccessKey":"secret","Token":"token","Expiration":"2026-01-02T09:00:00Z"}`},
		{"version 1", "/v1/credentials?id=c1", "10.0.0.4", 200, `{"RoleArn":"arn:role","AccessKeyId":"AKIA","SecretAccessKey":"secret","Token":"token","Expiration":"2026-01-02T09:00:00Z"}`},
		{"no id", "/v2/credentials/", "10.0.0.4", 400, `{"code":"NoIdInRequest","message":"CredentialsV2Request: No Credential ID in the request","HTTPErrorCode":400}`},
		{"no id, version 1", "/v1/credentials", "10.0.0.4", 400, `{"code":"NoIdInRequest","message":"CredentialsV1Request: No Credential ID in the request","HTTPErrorCode":400}`},
		{"unknown id", "/v2/credentials/c9", "10.0.0.4", 400, notFound},
		{"another task's", "/v2/credentials/c1", "10.0.0.7", 400, notFound},
		{"after the agent's restart", "/v2/credentials/c2", "10.0.0.6", 503, `{"code":"CredentialsUninitialized","message":"CredentialsV2Request: Credentials uninitialized for ID","HTTPErrorCode":503}`},
	} {
		if status, got := get(s, c.path, "", c.from); status != c.status || got != c.want {
			t.Errorf("%s\n got %d %s\nwant %d %s", c.rule, status, got, c.status, c.want)
		}
	}
	v.State.StoppedAt = time.Unix(1, 0)
	if status, got := get(s, "/v2/credentials/c1", "", "10.0.0.4"); status != 400 || got != notFound {
		t.Errorf("of a task that is over: %d %s", status, got)
	}
}
