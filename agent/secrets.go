package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/client"
)

// caller is who calls for a task, and until when it may.
type caller func(ctx context.Context, taskARN string) (*client.Client, time.Time, error)

// injectSecrets sets the variables of a container whose values are secrets, with the rights of the task's execution role. They are
// looked up once, when the container is made; they are in no file of the agent (SEMANTICS §13.6).
func injectSecrets(ctx context.Context, who caller, spec *task.ContainerSpec) error {
	var secrets []acs.Secret
	for i := range spec.Task.Containers {
		if c := &spec.Task.Containers[i]; c.Name == spec.Name {
			secrets = c.Secrets
		}
	}
	if len(secrets) == 0 {
		return nil
	}
	c, _, err := who(ctx, spec.Task.Arn)
	if err != nil {
		return noSecrets("unable to get credentials: %w", err)
	}
	spec.Environment = maps.Clone(spec.Environment)
	if spec.Environment == nil {
		spec.Environment = map[string]string{}
	}
	if err := parameters(ctx, c, secrets, spec.Environment); err != nil {
		return err
	}
	for _, s := range secrets {
		if s.Provider != "asm" {
			continue
		}
		if spec.Environment[s.Name], err = secretValue(ctx, c, s.ValueFrom); err != nil {
			return err
		}
	}
	return nil
}

// noSecrets is why a task does not start, in the words of Fargate [O].
func noSecrets(format string, args ...any) error {
	return &task.Failure{Name: "ResourceInitializationError",
		Err: fmt.Errorf("unable to pull secrets or registry auth: execution resource retrieval failed: "+format, args...)}
}

// perCall is how many parameters one call may name [D].
const perCall = 10

// parameters sets the variables that are parameters of Parameter Store.
func parameters(ctx context.Context, c *client.Client, secrets []acs.Secret, env map[string]string) error {
	names := map[string][]string{} // variables by what they are from
	var refs []string
	for _, s := range secrets {
		if s.Provider == "ssm" {
			if names[s.ValueFrom] == nil {
				refs = append(refs, s.ValueFrom)
			}
			names[s.ValueFrom] = append(names[s.ValueFrom], s.Name)
		}
	}
	wanted := refs
	got := map[string]bool{}
	for len(refs) > 0 {
		some := refs[:min(perCall, len(refs))]
		refs = refs[len(some):]
		var out struct {
			Parameters []struct {
				ARN, Name, Selector, Value string
			}
			InvalidParameters []string
		}
		if err := c.Call(ctx, "ssm", "GetParameters", map[string]any{"Names": some, "WithDecryption": true}, &out); err != nil {
			return noSecrets("unable to retrieve secrets from ssm: %w", err)
		}
		if len(out.InvalidParameters) > 0 {
			return noSecrets("unable to retrieve secrets from ssm: invalid parameters: %s", strings.Join(out.InvalidParameters, ", "))
		}
		for _, p := range out.Parameters {
			for _, ref := range []string{p.Name + p.Selector, p.ARN + p.Selector} {
				for _, name := range names[ref] {
					env[name], got[ref] = p.Value, true
				}
			}
		}
	}
	for _, ref := range wanted {
		if !got[ref] {
			return noSecrets("unable to retrieve secrets from ssm: no value for %s", ref)
		}
	}
	return nil
}

// secretValue gets a secret of Secrets Manager: ARN[:JSON-KEY:VERSION-STAGE:VERSION-ID]. One that is no text has none.
func secretValue(ctx context.Context, c *client.Client, from string) (string, error) {
	text, _, err := secretOf(ctx, c, from)
	return text, err
}

// binaryOrText gets a secret as secretValue does, or its bytes if it is no text.
func binaryOrText(ctx context.Context, c *client.Client, from string) ([]byte, error) {
	text, b, err := secretOf(ctx, c, from)
	if text != "" {
		b = []byte(text)
	}
	return b, err
}

func secretOf(ctx context.Context, c *client.Client, from string) (string, []byte, error) {
	id, key, in := from, "", map[string]string{}
	if parts := strings.Split(from, ":"); len(parts) > 7 {
		id = strings.Join(parts[:7], ":")
		rest := append(parts[7:], "", "")
		key = rest[0]
		for name, value := range map[string]string{"VersionStage": rest[1], "VersionId": rest[2]} {
			if value != "" {
				in[name] = value
			}
		}
	}
	in["SecretId"] = id
	var out struct {
		SecretString string
		SecretBinary []byte
	}
	if err := c.Call(ctx, "secretsmanager", "GetSecretValue", in, &out); err != nil {
		return "", nil, noSecrets("unable to retrieve secret from asm: %w", err)
	}
	if key == "" {
		return out.SecretString, out.SecretBinary, nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out.SecretString), &values); err != nil {
		return "", nil, noSecrets("unable to retrieve secret from asm: the secret %s is not a JSON object", id)
	}
	if v := values[key]; v == nil || string(v) == "null" {
		return "", nil, noSecrets("retrieved secret from Secrets Manager did not contain json key %s", key) // [O]
	}
	text, err := memberText(values[key])
	return text, nil, err
}

// memberText is a member of a JSON object as a value: a text as it is.
func memberText(v json.RawMessage) (string, error) {
	if !bytes.HasPrefix(v, []byte(`"`)) {
		return string(v), nil
	}
	var text string
	err := json.Unmarshal(v, &text)
	return text, err
}
