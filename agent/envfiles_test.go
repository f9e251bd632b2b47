package agent

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/client"
)

// objects answers GET requests for its objects, by path.
func objects(t *testing.T, all map[string]string) caller {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := all[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			text = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	c, err := client.New(client.Config{Endpoint: s.URL, AccessKeyID: "key", Secret: "secret", Region: "us-east-1", Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return func(context.Context, string) (*client.Client, time.Time, error) { return c, time.Time{}, nil }
}

// [D] What has a value keeps it, the first file wins, and lines are taken as they are (SEMANTICS §11.5).
func TestEnvironmentFiles(t *testing.T) {
	who := objects(t, map[string]string{
		"/box/a b.env":     "# A=comment\nA=one\nSAID=file\nQ=\"quoted\" # all of it\nEQ=a=b\n=none\nEMPTY=\nno line\n E=space\r\nA=two\n",
		"/box/later.env":   "A=later\nB=later\nAWS_ENDPOINT_URL=http://theirs",
		"/box/long.env":    "A=" + strings.Repeat("x", 1<<17),
		"/box/nothing.env": "",
	})
	for name, c := range map[string]struct {
		files   []string
		defined map[string]string
		role    *acs.RoleCreds
		want    map[string]string
		failure string
	}{
		"none": {nil, nil, nil, map[string]string{"SAID": "definition", "AWS_ENDPOINT_URL": "http://node"}, ""},
		"two": {[]string{"arn:aws:s3:::box/a b.env", "arn:aws:s3:::box/later.env"}, nil, &acs.RoleCreds{}, map[string]string{
			"SAID": "definition", "A": "two", "Q": `"quoted" # all of it`, "EQ": "a=b", " E": "space", "B": "later", "AWS_ENDPOINT_URL": "http://theirs"}, ""},
		"the other way round": {[]string{"arn:aws:s3:::box/later.env", "arn:aws:s3:::box/a b.env"}, map[string]string{"AWS_ENDPOINT_URL": "http://node"}, &acs.RoleCreds{}, map[string]string{
			"SAID": "definition", "A": "later", "Q": `"quoted" # all of it`, "EQ": "a=b", " E": "space", "B": "later", "AWS_ENDPOINT_URL": "http://node"}, ""},
		"an empty one": {[]string{"arn:aws:s3:::box/nothing.env"}, nil, &acs.RoleCreds{}, map[string]string{"SAID": "definition", "AWS_ENDPOINT_URL": "http://node"}, ""},
		"no role":      {[]string{"arn:aws:s3:::box/a b.env"}, nil, nil, nil, "ResourceInitializationError: environment file resource: unable to find execution role credentials"},
		"refused": {[]string{"arn:aws:s3:::box/none.env"}, nil, &acs.RoleCreds{}, nil,
			"ResourceInitializationError: failed to download env files: file download command: non empty error stream: get object none.env: AccessDenied: Access Denied"},
		"a line too long": {[]string{"arn:aws:s3:::box/long.env"}, nil, &acs.RoleCreds{}, nil, "ResourceInitializationError: failed to read env file arn:aws:s3:::box/long.env: bufio.Scanner: token too long"},
		"no ARN":          {[]string{"box/a.env"}, nil, &acs.RoleCreds{}, nil, "ResourceInitializationError: failed to download env files: "},
	} {
		t.Run(name, func(t *testing.T) {
			container := acs.Container{Name: "c", Environment: c.defined}
			for _, f := range c.files {
				container.EnvironmentFiles = append(container.EnvironmentFiles, acs.EnvironmentFile{Type: "s3", Value: f})
			}
			before := map[string]string{"SAID": "definition", "AWS_ENDPOINT_URL": "http://node"}
			spec := task.ContainerSpec{Name: "c", Environment: maps.Clone(before), Task: acs.Task{Containers: []acs.Container{{Name: "b"}, container}, ExecutionRole: c.role}}
			given := spec.Environment
			err := readEnvironmentFiles(t.Context(), who, &spec)
			if f, ok := errors.AsType[*task.Failure](err); c.failure != "" && (!ok || !strings.HasPrefix(f.Reason(), c.failure)) || c.failure == "" && err != nil {
				t.Fatalf("got %v", err)
			}
			if c.failure == "" && !maps.Equal(spec.Environment, c.want) {
				t.Errorf("got %q", spec.Environment)
			}
			if !maps.Equal(given, before) {
				t.Error("the engine's own map was changed")
			}
		})
	}
}
