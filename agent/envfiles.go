package agent

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/model"
)

// readEnvironmentFiles adds the variables of a container's environment files, which are read once, when it is made, with the task's
// execution role. What has a value already keeps it: the definition's variables win, and those of earlier files (SEMANTICS §11.5) [D].
// Only where the control plane's API is, which we say, a file may say otherwise.
func readEnvironmentFiles(ctx context.Context, who caller, spec *task.ContainerSpec) error {
	var files []acs.EnvironmentFile
	var defined map[string]string
	for i := range spec.Task.Containers {
		if c := &spec.Task.Containers[i]; c.Name == spec.Name {
			files, defined = c.EnvironmentFiles, c.Environment
		}
	}
	if len(files) == 0 {
		return nil
	}
	if spec.Task.ExecutionRole == nil {
		return noFiles("environment file resource: unable to find execution role credentials") // the agent's words [O]
	}
	env := maps.Clone(spec.Environment)
	if env == nil {
		env = map[string]string{}
	}
	if _, said := defined[endpointVariable]; !said {
		delete(env, endpointVariable)
	}
	for _, f := range files {
		text, err := environmentFile(ctx, who, spec.Task.Arn, f)
		if err != nil {
			return noFiles("failed to download env files: file download command: non empty error stream: %w", err) // Fargate's words [O]
		}
		variables, err := parseVariables(text)
		if err != nil {
			return noFiles("failed to read env file %s: %w", f.Value, err)
		}
		for name, value := range variables {
			if _, has := env[name]; !has {
				env[name] = value
			}
		}
	}
	if address, ours := spec.Environment[endpointVariable]; ours && env[endpointVariable] == "" {
		env[endpointVariable] = address
	}
	spec.Environment = env
	return nil
}

func noFiles(format string, args ...any) error {
	return &task.Failure{Name: "ResourceInitializationError", Err: fmt.Errorf(format, args...)}
}

// environmentFile reads a file.
func environmentFile(ctx context.Context, who caller, taskARN string, f acs.EnvironmentFile) ([]byte, error) {
	bucket, key, err := objectName(f.Value)
	if err != nil || f.Type != "s3" {
		return nil, cmp.Or(err, errors.New("no file of type "+f.Type+" can be read"))
	}
	c, _, err := who(ctx, taskARN)
	if err != nil {
		return nil, err
	}
	return c.GetObject(ctx, bucket, key)
}

// objectName reads the ARN of an object of S3.
func objectName(text string) (bucket, key string, err error) {
	arn, ok := model.ParseARN(text)
	bucket, key, _ = strings.Cut(arn.Tail, "/")
	if !ok || arn.Service != "s3" || bucket == "" || key == "" {
		return "", "", errors.New(text + " is not the ARN of an S3 object")
	}
	return bucket, key, nil
}

// parseVariables reads lines NAME=VALUE as they are, without quotes or anything else that a shell would do: those that begin with # or
// have no name or no value are passed over; the last line of a name counts [D].
func parseVariables(text []byte) (map[string]string, error) {
	out := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		name, value, _ := strings.Cut(line, "=")
		if strings.HasPrefix(line, "#") || name == "" || value == "" || strings.ContainsRune(line, 0) {
			continue
		}
		out[name] = value
	}
	return out, lines.Err()
}
