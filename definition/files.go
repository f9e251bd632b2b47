package definition

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

// Volume drivers of ours: values as files in memory (docs/decisions/029). Nothing of them is AWS's, so all refusals are [I].
const (
	driverSecret = "roadstead-secret"
	driverConfig = "roadstead-config"
	driverToken  = "roadstead-web-identity" // docs/decisions/033
)

// fileDriver is what a driver has of its own: how its options are called, and who may read its files.
type fileDriver struct {
	whole, list string // options: a JSON object, a file for each member; FILE=VALUEFROM ...
	token       bool   // its file is a token of the task's role
	mode        uint32
}

func fileDriverOf(v *types.Volume) (d fileDriver, ok bool) {
	if c := v.DockerVolumeConfiguration; c != nil {
		switch deref(c.Driver) {
		case driverSecret:
			return fileDriver{whole: "secret", list: "secrets", mode: 0o400}, true
		case driverConfig:
			return fileDriver{whole: "config", list: "configs", mode: 0o444}, true
		case driverToken:
			return fileDriver{token: true, mode: 0o400}, true
		}
	}
	return fileDriver{}, false
}

// How often a node looks for a new value if a volume does not say so, and the bounds of what it may say.
const (
	refreshDefault = 30 * time.Second
	refreshMin     = time.Second
	refreshMax     = 24 * time.Hour
	refreshOff     = "off"
)

// checkFiles: a volume of ours lives as long as its task, its options make sense, and only the execution role may read the values; a
// token is of the task's own role.
func checkFiles(d *draft, v *types.Volume) error {
	driver, ours := fileDriverOf(v)
	if !ours {
		return nil
	}
	c, name := v.DockerVolumeConfiguration, deref(v.Name)
	if c.Scope != types.ScopeTask {
		return refuse("Volume '%s' of the driver %s must have the scope task.", name, deref(c.Driver))
	}
	if _, err := files(v, driver); err != nil {
		return err
	}
	if driver.token {
		if deref(d.TaskRoleArn) == "" {
			return refuse("When you are specifying a volume of the driver %s, you must also specify a value for 'taskRoleArn'.", deref(c.Driver))
		}
		return nil
	}
	if deref(d.ExecutionRoleArn) == "" {
		return refuse("When you are specifying a volume of the driver %s, you must also specify a value for 'executionRoleArn'.", deref(c.Driver))
	}
	return nil
}

// files reads the options of a volume of ours.
func files(v *types.Volume, driver fileDriver) (*acs.FileVolume, error) {
	out := &acs.FileVolume{Mode: driver.mode, Refresh: int64(refreshDefault / time.Second)}
	opts := v.DockerVolumeConfiguration.DriverOpts
	if driver.token {
		out.Sources = []acs.FileSource{{Name: "token", Provider: "sts", Algorithm: "RS256", Duration: tokenLife}}
	}
	wrong := func(option, must string) error {
		return refuse("Invalid driver option '%s' of volume '%s'. It must be %s.", option, deref(v.Name), must)
	}
	for _, option := range slices.Sorted(maps.Keys(opts)) {
		value, ok, must := opts[option], true, ""
		switch {
		case option == "mode":
			must, ok = "an octal number of at most 0777", octal(value, &out.Mode)
		case option == "uid":
			must, ok = "a user id", number(value, &out.UID)
		case option == "gid":
			must, ok = "a group id", number(value, &out.GID)
		case driver.token:
			must, ok = tokenOption(out, option, value)
		case option == driver.whole:
			must, ok = "a valueFrom of a secret, a parameter or an S3 object", value != ""
			out.Sources = append(out.Sources, source("", value))
		case option == driver.list:
			must = "FILE=VALUEFROM, several of them with spaces between, and plain file names"
			ok = fileList(out, value)
		case option == "path":
			must, ok = "the path of parameters, from / on", strings.HasPrefix(value, "/")
			out.Sources = append(out.Sources, acs.FileSource{ValueFrom: value, Provider: "ssm-path"})
		case option == "signal":
			out.Signal = "SIG" + strings.TrimPrefix(value, "SIG")
			must, ok = "one of "+strings.Join(reloads, ", "), slices.Contains(reloads, out.Signal)
		case option == "refresh":
			must, ok = "a duration from 1s to 24h, or off", refresh(value, &out.Refresh)
		}
		if must == "" {
			return nil, refuse("Unknown driver option '%s' of volume '%s'.", option, deref(v.Name))
		}
		if !ok {
			return nil, wrong(option, must)
		}
	}
	if driver.token {
		out.Refresh = out.Sources[0].Duration / 4 // so that a few looks may fail before it is over
		if out.Sources[0].ValueFrom == "" {
			return nil, refuse("Volume '%s' needs the driver option 'audience'.", deref(v.Name))
		}
	}
	if len(out.Sources) == 0 {
		return nil, refuse("Volume '%s' needs the driver option '%s', '%s' or 'path'.", deref(v.Name), driver.whole, driver.list)
	}
	return out, nil
}

// The life of a token in seconds, and its bounds, which are STS's [D].
const (
	tokenLife    = 3600
	tokenLifeMin = 60
)

// tokenOption reads an option that volumes with a token have besides. It returns "" for one that they do not have.
func tokenOption(out *acs.FileVolume, option, value string) (must string, ok bool) {
	s := &out.Sources[0]
	switch option {
	case "audience":
		s.ValueFrom = value
		return "one text or several with commas between", value != "" && !slices.Contains(strings.Split(value, ","), "")
	case "file":
		s.Name = value
		return "a plain file name", acs.IsFileName(value)
	case "algorithm":
		s.Algorithm = value
		return "RS256 or ES384", value == "RS256" || value == "ES384"
	case "duration":
		d, err := time.ParseDuration(value)
		s.Duration = int64(d / time.Second)
		return "a duration from 1m to 1h", err == nil && s.Duration >= tokenLifeMin && s.Duration <= tokenLife
	}
	return "", false
}

// reloads are the signals that may tell a program of new values.
var reloads = []string{"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH"} //nolint:gochecknoglobals // a constant list

// fileList reads FILE=VALUEFROM, separated by white space or commas, which no valueFrom has.
func fileList(out *acs.FileVolume, value string) bool {
	seen := map[string]bool{}
	for item := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		name, from, found := strings.Cut(item, "=")
		if !found || from == "" || !acs.IsFileName(name) || seen[name] {
			return false
		}
		seen[name] = true
		out.Sources = append(out.Sources, source(name, from))
	}
	return len(seen) > 0
}

// source says where a value is: an ARN of Secrets Manager or S3, else a parameter of SSM.
func source(name, from string) acs.FileSource {
	s := acs.FileSource{Name: name, ValueFrom: from, Provider: provider(types.Secret{ValueFrom: &from})}
	if arn, ok := model.ParseARN(from); ok && arn.Service == "s3" {
		s.Provider = "s3"
	}
	return s
}

func octal(text string, into *uint32) bool {
	n, err := strconv.ParseUint(text, 8, 32)
	*into = uint32(n)
	return err == nil && n <= 0o777
}

func number(text string, into *uint32) bool {
	n, err := strconv.ParseUint(text, 10, 31)
	*into = uint32(n)
	return err == nil
}

// fargateFiles: FARGATE tasks have the users of a namespace only (docs/decisions/018).
func fargateFiles(v *types.Volume, driver fileDriver) error {
	if f, err := files(v, driver); err == nil && max(f.UID, f.GID) > maxNamespaceUser {
		return refuse("Invalid driver options of volume '%s'. Fargate supports user and group ids up to %d.", deref(v.Name), maxNamespaceUser)
	}
	return nil
}

const maxNamespaceUser = 65535

func refresh(text string, seconds *int64) bool {
	if text == refreshOff {
		*seconds = 0
		return true
	}
	d, err := time.ParseDuration(text)
	*seconds = int64(d / time.Second)
	return err == nil && d >= refreshMin && d <= refreshMax
}
