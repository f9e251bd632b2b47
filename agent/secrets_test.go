package agent

import (
	"context"
	"encoding/json"
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

// vault answers GetParameters and GetSecretValue for its values, by name or ARN.
func vault(t *testing.T, values map[string]string) caller {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Names    []string
			SecretId string // AWS's name
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		out := map[string]any{}
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetParameters") {
			var found []map[string]string
			var invalid []string
			for _, name := range in.Names {
				if v, ok := values[name]; ok {
					found = append(found, map[string]string{"Name": name, "Value": v})
				} else {
					invalid = append(invalid, name)
				}
			}
			out["Parameters"], out["InvalidParameters"] = found, invalid
		} else if v, ok := values[in.SecretId]; ok {
			out["SecretString"] = v
		} else {
			w.WriteHeader(http.StatusBadRequest)
			out["__type"], out["message"] = "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(client.Config{Endpoint: s.URL, AccessKeyID: "key", Secret: "secret", Region: "us-east-1", Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return func(context.Context, string) (*client.Client, time.Time, error) { return c, time.Time{}, nil }
}

// [D] Options of the log driver are resolved as variables are, and go to the driver alone (SEMANTICS §13.6).
func TestSecretOptions(t *testing.T) {
	const arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-abcdef"
	who := vault(t, map[string]string{"/token": "sesame", arn: `{"password":"open"}`})
	spec := func(secrets ...acs.Secret) task.ContainerSpec {
		return task.ContainerSpec{
			Name: "c", Environment: map[string]string{"A": "b"}, Task: acs.Task{Containers: []acs.Container{{Name: "c", Secrets: secrets}}},
			HostConfig: acs.HostConfig{LogConfig: acs.LogConfig{Type: "splunk", Config: map[string]string{"splunk-url": "http://x"}}},
		}
	}
	of := func(name, from, provider, target string) acs.Secret {
		return acs.Secret{Name: name, ValueFrom: from, Provider: provider, Target: target}
	}
	s := spec(of("splunk-token", "/token", "ssm", acs.SecretForLogDriver), of("TOKEN", "/token", "ssm", acs.SecretForContainer),
		of("splunk-index", arn+":password::", "asm", acs.SecretForLogDriver))
	given := s.HostConfig.LogConfig.Config
	if err := injectSecrets(t.Context(), who, &s); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"splunk-url": "http://x", "splunk-token": "sesame", "splunk-index": "open"}; !maps.Equal(s.HostConfig.LogConfig.Config, want) {
		t.Errorf("options %q", s.HostConfig.LogConfig.Config)
	}
	if want := map[string]string{"A": "b", "TOKEN": "sesame"}; !maps.Equal(s.Environment, want) {
		t.Errorf("environment %q", s.Environment)
	}
	if len(given) != 1 {
		t.Error("the engine's own map was changed")
	}
	for from, want := range map[string]string{
		"/none":               "unable to retrieve secrets from ssm: invalid parameters: /none",
		arn + ":missing::":    "retrieved secret from Secrets Manager did not contain json key missing", // [O]
		arn + "x:password:::": "unable to retrieve secret from asm: ",
	} {
		provider := "ssm"
		if strings.Contains(from, "secretsmanager") {
			provider = "asm"
		}
		s := spec(of("splunk-token", from, provider, acs.SecretForLogDriver))
		f, ok := errors.AsType[*task.Failure](injectSecrets(t.Context(), who, &s))
		if !ok || !strings.HasPrefix(f.Reason(), "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "+want) {
			t.Errorf("%s: %v", from, f)
		}
	}
}
