package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/volumes"
	"github.com/roadstead/roadstead/client"
)

// fileValues are the values of volumes with files in memory, got with the rights of the task's execution role; a token, with those of
// its own.
func (a *Agent) fileValues() volumes.Values {
	get := func(ctx context.Context, taskID string, sources []acs.FileSource) (map[string][]byte, error) {
		if len(sources) == 1 && sources[0].Provider == "sts" {
			return a.webIdentity(ctx, taskID, sources[0])
		}
		if a.executionRole(taskID) == nil { // a node has no right of its own to read values
			return nil, noSecrets("unable to find execution role credentials")
		}
		c, _, err := a.executing(ctx, taskID)
		if err != nil {
			return nil, noSecrets("unable to get credentials: %w", err)
		}
		return readSources(ctx, c, sources)
	}
	return volumes.Values{Get: get, Tell: a.tellFiles, Log: a.cfg.Log}
}

// webIdentity gets a token of the task's role, for no longer than the role's credentials are good.
func (a *Agent) webIdentity(ctx context.Context, taskID string, s acs.FileSource) (map[string][]byte, error) {
	role, err := a.awaitRole(ctx, func() *acs.RoleCreds { return a.roleOf(taskID, false) })
	if err != nil {
		return nil, noToken("%w", err)
	}
	if role == nil {
		return nil, noToken("unable to find task role credentials")
	}
	until, err := time.Parse(time.RFC3339, role.Expiration)
	if err != nil {
		return nil, noToken("credentials of the role %s: %w", role.RoleArn, err)
	}
	in := map[string]any{"Audience": strings.Split(s.ValueFrom, ","), "SigningAlgorithm": s.Algorithm, "DurationSeconds": min(s.Duration, int64(time.Until(until)/time.Second))}
	var out struct{ WebIdentityToken string }
	if err := a.client.As(role.AccessKeyID, role.SecretAccessKey, role.SessionToken).Call(ctx, "sts", "GetWebIdentityToken", in, &out); err != nil {
		return nil, noToken("%w", err)
	}
	return map[string][]byte{s.Name: []byte(out.WebIdentityToken)}, nil
}

func noToken(format string, args ...any) error {
	return &task.Failure{Name: "ResourceInitializationError", Err: fmt.Errorf("unable to get a web identity token: "+format, args...)}
}

// readSources gets the files by their names.
func readSources(ctx context.Context, c *client.Client, sources []acs.FileSource) (map[string][]byte, error) {
	var refs []string // parameters: one call gets several
	for _, s := range sources {
		if s.Provider == "ssm" {
			refs = append(refs, s.ValueFrom)
		}
	}
	params := map[string]string{}
	if err := parameters(ctx, c, refs, params); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, s := range sources {
		if s.Provider == "ssm-path" {
			if err := addParameters(ctx, c, s.ValueFrom, out); err != nil {
				return nil, err
			}
			continue
		}
		value, err := []byte(params[s.ValueFrom]), error(nil)
		switch s.Provider {
		case "asm":
			value, err = binaryOrText(ctx, c, s.ValueFrom)
		case "s3":
			value, err = object(ctx, c, s.ValueFrom)
		}
		if err != nil {
			return nil, err
		}
		if err := addFiles(out, s, value); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addParameters adds a file for each parameter that lies right below a path, by the last part of its name.
func addParameters(ctx context.Context, c *client.Client, path string, out map[string][]byte) error {
	in := map[string]any{"Path": path, "WithDecryption": true}
	for {
		var page struct {
			Parameters []struct{ Name, Value string }
			NextToken  string
		}
		if err := c.Call(ctx, "ssm", "GetParametersByPath", in, &page); err != nil {
			return noSecrets("unable to retrieve secrets from ssm: %w", err)
		}
		for _, p := range page.Parameters {
			if err := addFile(out, p.Name[strings.LastIndexByte(p.Name, '/')+1:], []byte(p.Value)); err != nil {
				return err
			}
		}
		if page.NextToken == "" {
			return nil
		}
		in["NextToken"] = page.NextToken
	}
}

func addFile(out map[string][]byte, name string, b []byte) error {
	if _, twice := out[name]; twice {
		return noSecrets("two values are for the file %s", name)
	}
	out[name] = b
	return nil
}

// addFiles adds the file of a source, or those of the members of its JSON object.
func addFiles(out map[string][]byte, s acs.FileSource, value []byte) error {
	if s.Name != "" {
		return addFile(out, s.Name, value)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil || members == nil { // its text is nobody's business
		return noSecrets("%s is not a JSON object, to make a file of each member: name a file for it with FILE=VALUEFROM", s.ValueFrom)
	}
	for name, v := range members {
		text, err := memberText(v)
		if err == nil {
			err = addFile(out, name, []byte(text))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func object(ctx context.Context, c *client.Client, arn string) ([]byte, error) {
	bucket, key, err := objectName(arn)
	if err != nil {
		return nil, noSecrets("%w", err)
	}
	b, err := c.GetObject(ctx, bucket, key)
	if err != nil {
		return nil, noSecrets("unable to get %s: %w", arn, err)
	}
	return b, nil
}

// tellFiles sends a signal to the containers that have the volume and run: one that starts later has the new values.
func (a *Agent) tellFiles(ctx context.Context, taskID, volume, signal string) error {
	e := a.engine.Load()
	if e == nil {
		return errors.New("the node is being reset")
	}
	v, ok := e.Get(taskID)
	if !ok {
		return nil
	}
	var errs []error
	for i := range v.Task.Containers {
		name := v.Task.Containers[i].Name
		if !hasVolume(v.Task, name, volume, nil) || !runs(&v, name) {
			continue
		}
		if err := a.runtime.Signal(ctx, task.ContainerID(taskID, name), signal); err != nil {
			errs = append(errs, fmt.Errorf("container %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func runs(v *task.View, name string) bool {
	return slices.ContainsFunc(v.State.Containers, func(c task.Container) bool { return c.Name == name && c.Phase == task.PhaseRunning })
}

// hasVolume says whether a container mounts the volume, by itself or with those of others.
func hasVolume(t *acs.Task, container, volume string, seen []string) bool {
	i := slices.IndexFunc(t.Containers, func(c acs.Container) bool { return c.Name == container })
	if i < 0 || slices.Contains(seen, container) {
		return false
	}
	c := &t.Containers[i]
	return slices.ContainsFunc(c.MountPoints, func(m acs.MountPoint) bool { return m.SourceVolume == volume }) ||
		slices.ContainsFunc(c.VolumesFrom, func(f acs.VolumeFrom) bool {
			return hasVolume(t, f.SourceContainer, volume, append(seen, container))
		})
}
