package ecs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestGolden pins the JSON of the describes, zero values present (CLIENTS.md), as a client without an SDK sees it.
func TestGolden(t *testing.T) {
	s := newServer(t)
	s.rawOK("CreateCluster", `{"clusterName":"c"}`)
	i := s.rawOK("RegisterContainerInstance", `{"cluster":"c","totalResources":[{"name":"CPU","type":"INTEGER","integerValue":1024},
		{"name":"MEMORY","type":"INTEGER","integerValue":2048},{"name":"PORTS","type":"STRINGSET","stringSetValue":["22"]}],
		"attributes":[{"name":"ecs.cpu-architecture","value":"x86_64"},{"name":"ecs.availability-zone","value":"us-east-1a"},
		{"name":"ecs.capability.task-eni"},{"name":"com.amazonaws.ecs.capability.docker-remote-api.1.18"}]}`)
	arn := i["containerInstance"].(map[string]any)["containerInstanceArn"].(string)
	s.connect(arn)
	s.rawOK("RegisterTaskDefinition", `{"family":"f","containerDefinitions":[{"name":"app","image":"busybox","memory":64}]}`)
	s.rawOK("RegisterTaskDefinition", `{"family":"v","networkMode":"awsvpc","cpu":"256","memory":"512","containerDefinitions":[{"name":"app","image":"busybox@sha256:`+strings.Repeat("0", 64)+`"}]}`)
	task := func(body string) string {
		return s.rawOK("RunTask", body)["tasks"].([]any)[0].(map[string]any)["taskArn"].(string)
	}
	stopped := task(`{"cluster":"c","taskDefinition":"f"}`)
	s.clock.Add(1500)
	s.rawOK("SubmitTaskStateChange", `{"cluster":"c","task":"`+stopped+`","status":"STOPPED","containers":[{"containerName":"app","status":"STOPPED","exitCode":0,"runtimeId":"r"}]}`)
	vpc := task(`{"cluster":"c","taskDefinition":"v","networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-a"]}}}`)

	for _, c := range []struct{ name, op, body string }{
		{"describe_clusters", "DescribeClusters", `{"clusters":["c","x"]}`},
		{"describe_clusters_all", "DescribeClusters", `{"clusters":["c"],"include":["ATTACHMENTS","SETTINGS","CONFIGURATIONS","STATISTICS","TAGS"]}`},
		{"describe_container_instances", "DescribeContainerInstances", `{"cluster":"c","containerInstances":["` + arn + `"]}`},
		{"describe_tasks", "DescribeTasks", `{"cluster":"c","tasks":["` + stopped + `","` + vpc + `"]}`},
		{"list_tasks", "ListTasks", `{"cluster":"c"}`},
		{"run_task_failures", "RunTask", `{"cluster":"c","taskDefinition":"f","overrides":{"memory":"9999"}}`},
		{"describe_task_definition", "DescribeTaskDefinition", `{"taskDefinition":"f"}`},
		{"error", "DescribeTasks", `{"cluster":"x","tasks":["t"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, body := s.raw(c.op, c.body)
			golden(t, c.name, body)
		})
	}
	goldenServices(t, s)
}

// goldenServices pins what is shown of services.
func goldenServices(t *testing.T, s *server) {
	s.TB = t
	s.rawOK("CreateService", `{"cluster":"c","serviceName":"s","taskDefinition":"f","desiredCount":1,"tags":[{"key":"k","value":"v"}]}`)
	made := s.rawOK("CreateService", `{"cluster":"c","serviceName":"v","taskDefinition":"v","desiredCount":0,
		"networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-a"]}},"deploymentConfiguration":{"strategy":"CANARY"}}`)["service"].(map[string]any)
	s.rawOK("CreateService", `{"cluster":"c","serviceName":"x","desiredCount":3,"deploymentController":{"type":"EXTERNAL"}}`)
	s.rawOK("CreateTaskSet", `{"cluster":"c","service":"x","taskDefinition":"f","scale":{"value":50,"unit":"PERCENT"}}`)
	revision := made["currentServiceRevisions"].([]any)[0].(map[string]any)["arn"].(string)
	for _, c := range []struct{ name, op, body string }{
		{"describe_services", "DescribeServices", `{"cluster":"c","services":["s","v","x","y"],"include":["TAGS"]}`},
		{"list_service_deployments", "ListServiceDeployments", `{"cluster":"c","service":"v"}`},
		{"describe_service_deployments", "DescribeServiceDeployments", `{"serviceDeploymentArns":["` + made["currentServiceDeployment"].(string) + `"]}`},
		{"describe_service_revisions", "DescribeServiceRevisions", `{"serviceRevisionArns":["` + revision + `"]}`},
		{"describe_task_sets", "DescribeTaskSets", `{"cluster":"c","service":"x"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, body := s.raw(c.op, c.body)
			golden(t, c.name, body)
		})
	}
}

func golden(t *testing.T, name, body string) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	b.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("differs from %s (-update rewrites it):\n%s", file, firstDifference(got, string(want)))
	}
}

// firstDifference shows the first line that differs.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer"
}
