package agent

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// routed is a task of a router and an application that logs through it, and the spec of the container with the name.
func routed(t *testing.T, dir, name string, f *acs.Firelens, log map[string]string) task.ContainerSpec {
	t.Helper()
	config := acs.HostConfig{LogConfig: acs.LogConfig{Type: task.Awsfirelens, Config: log}}
	host, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	spec := task.ContainerSpec{
		ID: "t1-" + name, TaskID: "t1", Name: name, LogPath: filepath.Join(dir, "logs", "t1", name+".json"), Environment: map[string]string{"A": "b"},
		Task: acs.Task{Arn: "arn:aws:ecs:us-east-1:000000000000:task/prod/t1", ClusterArn: "arn:aws:ecs:us-east-1:000000000000:cluster/prod", Family: "web", Version: "7",
			NetworkMode: "bridge", Containers: []acs.Container{
				{Name: "router", Firelens: f},
				{Name: "app", Docker: acs.DockerConfig{HostConfig: string(host)}, Secrets: []acs.Secret{
					{Name: "apikey", ValueFrom: "/key", Provider: "ssm", Target: acs.SecretForLogDriver}, {Name: "DB", ValueFrom: "/db", Provider: "ssm", Target: acs.SecretForContainer}}},
			}},
	}
	if name == "app" {
		spec.HostConfig = config
	}
	return spec
}

// [D] The router has its configuration, and the secrets that it means; the application's lines go to its socket, and it is told where the
// router listens (SEMANTICS §13.7).
func TestRouting(t *testing.T) {
	who := vault(t, map[string]string{"/key": "sesame", "/db": "open"})
	at := func(string) string { return "10.88.0.5" }
	dir := t.TempDir()
	f := &acs.Firelens{Type: "fluentbit", Options: map[string]string{"config-file-type": "file", "config-file-value": "/extra.conf"}}
	log := map[string]string{"Name": "http", "log-driver-buffer-limit": "2097152", "mode": "blocking"}
	router, app := routed(t, dir, "router", f, log), routed(t, dir, "app", f, log)
	for _, spec := range []*task.ContainerSpec{&router, &app} {
		if err := injectSecrets(t.Context(), who, spec); err != nil {
			t.Fatal(err)
		}
		if err := addRouting(t.Context(), who, spec, at); err != nil {
			t.Fatal(err)
		}
	}
	if want := map[string]string{"A": "b", "apikey_1": "sesame"}; !maps.Equal(router.Environment, want) {
		t.Errorf("the router has %v", router.Environment)
	}
	routers := filepath.Join(dir, "logs", "t1", "firelens")
	if want := []task.Mount{{Source: routers + "/generated.conf", Destination: "/fluent-bit/etc/fluent-bit.conf"}, {Source: routers + "/socket", Destination: "/var/run"}}; !slices.Equal(router.Mounts, want) {
		t.Errorf("mounts %v", router.Mounts)
	}
	b, err := os.ReadFile(router.Mounts[0].Source)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"Record ecs_cluster prod\n", "Record ecs_task_definition web:7\n", "@INCLUDE /extra.conf\n", "[OUTPUT]\n    Name http\n    Match app-firelens*\n    apikey ${apikey_1}\n"} {
		if !strings.Contains(string(b), s) {
			t.Errorf("no %q in\n%s", s, b)
		}
	}
	for _, s := range []string{"sesame", "mode", "2097152"} {
		if strings.Contains(string(b), s) {
			t.Errorf("%q is in\n%s", s, b)
		}
	}
	want := map[string]string{"tag": "app-firelens-t1", "fluentd-address": "unix://" + routers + "/socket/fluent.sock", "fluentd-async": "true",
		"fluentd-sub-second-precision": "true", "fluentd-buffer-limit": "2097152", "mode": "blocking"}
	if c := app.HostConfig.LogConfig; c.Type != "fluentd" || !maps.Equal(c.Config, want) {
		t.Errorf("the application logs with %+v", c)
	}
	if want := map[string]string{"A": "b", "DB": "open", "FLUENT_HOST": "10.88.0.5", "FLUENT_PORT": "24224"}; !maps.Equal(app.Environment, want) {
		t.Errorf("the application has %v", app.Environment)
	}
}

// A configuration in S3 is read with the execution role, when the router is made [D].
func TestRouterFromS3(t *testing.T) {
	who := objects(t, map[string]string{"/box/my.conf": "[FILTER]\n"})
	for value, failure := range map[string]string{
		"arn:aws:s3:::box/my.conf":   "",
		"arn:aws:s3:::box/none.conf": "unable to download firelens s3 config file: get object none.conf: AccessDenied",
		"my.conf":                    "unable to download firelens s3 config file: my.conf is not the ARN of an S3 object",
	} {
		f := &acs.Firelens{Type: "fluentd", Options: map[string]string{"config-file-type": "s3", "config-file-value": value}}
		spec := routed(t, t.TempDir(), "router", f, map[string]string{"@type": "stdout"})
		err := addRouting(t.Context(), who, &spec, nil)
		if f, _ := errors.AsType[*task.Failure](err); failure != "" && (f == nil || !strings.HasPrefix(f.Reason(), "ResourceInitializationError: "+failure)) {
			t.Errorf("%s: %v", value, err)
		}
		if failure != "" {
			continue
		}
		if err != nil || len(spec.Mounts) != 3 || spec.Mounts[2].Destination != "/fluentd/etc/external.conf" {
			t.Fatalf("%v %v", err, spec.Mounts)
		}
		if b, err := os.ReadFile(spec.Mounts[2].Source); err != nil || string(b) != "[FILTER]\n" {
			t.Errorf("%v %q", err, b)
		}
	}
	spec := routed(t, t.TempDir(), "router", &acs.Firelens{Type: "fluentbit"}, map[string]string{"region": "r"})
	if err := addRouting(t.Context(), who, &spec, nil); err == nil || !strings.Contains(err.Error(), "missing output key Name which is required for firelens configuration of type fluentbit") {
		t.Errorf("options without an output: %v", err)
	}
}

func TestRouterMetadata(t *testing.T) {
	for text, want := range map[string]bool{"true": true, "1": true, "false": false, "False": false, "no": false} {
		if got := wantsMetadata(map[string]string{"enable-ecs-log-metadata": text}); got != want {
			t.Errorf("%q is %t", text, got)
		}
	}
	if !wantsMetadata(nil) {
		t.Error("by default there is none")
	}
}
