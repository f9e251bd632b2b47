package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/firelens"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/client"
)

// caller is who calls for a task, and until when it may.
type caller func(ctx context.Context, taskARN string) (*client.Client, time.Time, error)

// A use is a secret and where its value goes.
type use struct {
	acs.Secret
	into map[string]string
	as   string
}

// injectSecrets sets the variables of a container and the options of its log driver whose values are secrets, with the rights of the
// task's execution role. They are looked up once, when the container is made, and are in no file of the agent but the log driver's own
// (SEMANTICS §13.6).
func injectSecrets(ctx context.Context, who caller, spec *task.ContainerSpec) error {
	var uses []use
	environment, options := maps.Clone(spec.Environment), maps.Clone(spec.HostConfig.LogConfig.Config)
	if environment == nil {
		environment = map[string]string{}
	}
	if options == nil {
		options = map[string]string{}
	}
	router := task.Router(&spec.Task)
	for i := range spec.Task.Containers {
		c := &spec.Task.Containers[i]
		routed := router != nil && task.LogsToRouter(c)
		for _, s := range c.Secrets {
			switch forLog := s.Target == acs.SecretForLogDriver; {
			case forLog && routed && router.Name == spec.Name: // the router's own configuration means a variable
				uses = append(uses, use{s, environment, firelens.Variable(s.Name, i)})
			case c.Name != spec.Name || forLog && routed:
			case forLog:
				uses = append(uses, use{s, options, s.Name})
			default:
				uses = append(uses, use{s, environment, s.Name})
			}
		}
	}
	if len(uses) == 0 {
		return nil
	}
	c, _, err := who(ctx, spec.Task.Arn)
	if err != nil {
		return noSecrets("unable to get credentials: %w", err)
	}
	values, err := lookUp(ctx, c, uses)
	if err != nil {
		return err
	}
	for _, u := range uses {
		u.into[u.as] = values[u.ValueFrom]
	}
	spec.Environment, spec.HostConfig.LogConfig.Config = environment, options
	return nil
}

// lookUp gets the values of secrets, by what they are from.
func lookUp(ctx context.Context, c *client.Client, uses []use) (map[string]string, error) {
	values := map[string]string{}
	var refs []string
	for _, u := range uses {
		if u.Provider == "ssm" && !slices.Contains(refs, u.ValueFrom) {
			refs = append(refs, u.ValueFrom)
		}
	}
	if err := parameters(ctx, c, refs, values); err != nil {
		return nil, err
	}
	for _, u := range uses {
		if _, has := values[u.ValueFrom]; has || u.Provider != "asm" {
			continue
		}
		v, err := secretValue(ctx, c, u.ValueFrom)
		if err != nil {
			return nil, err
		}
		values[u.ValueFrom] = v
	}
	return values, nil
}

// noSecrets is why a task does not start, in the words of Fargate [O].
func noSecrets(format string, args ...any) error {
	return &task.Failure{Name: "ResourceInitializationError",
		Err: fmt.Errorf("unable to pull secrets or registry auth: execution resource retrieval failed: "+format, args...)}
}

// perCall is how many parameters one call may name [D].
const perCall = 10

// parameters adds the values of parameters of Parameter Store, by what refers to them: a name or an ARN, with or without a selector.
func parameters(ctx context.Context, c *client.Client, refs []string, values map[string]string) error {
	for rest := refs; len(rest) > 0; {
		some := rest[:min(perCall, len(rest))]
		rest = rest[len(some):]
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
				values[ref] = p.Value
			}
		}
	}
	for _, ref := range refs {
		if _, got := values[ref]; !got {
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
