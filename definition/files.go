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
)

// fileDriver is what a driver has of its own: how its options are called, and who may read its files.
type fileDriver struct {
	whole, list string // options: a JSON object, a file for each member; FILE=VALUEFROM ...
	mode        uint32
}

func fileDriverOf(v *types.Volume) (d fileDriver, ok bool) {
	if c := v.DockerVolumeConfiguration; c != nil {
		switch deref(c.Driver) {
		case driverSecret:
			return fileDriver{"secret", "secrets", 0o400}, true
		case driverConfig:
			return fileDriver{"config", "configs", 0o444}, true
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

// checkFiles: a volume of ours lives as long as its task, its options make sense, and only the execution role may read the values.
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
	if deref(d.ExecutionRoleArn) == "" {
		return refuse("When you are specifying a volume of the driver %s, you must also specify a value for 'executionRoleArn'.", deref(c.Driver))
	}
	return nil
}

// files reads the options of a volume of ours.
func files(v *types.Volume, driver fileDriver) (*acs.FileVolume, error) {
	out := &acs.FileVolume{Mode: driver.mode, Refresh: int64(refreshDefault / time.Second)}
	opts := v.DockerVolumeConfiguration.DriverOpts
	wrong := func(option, must string) error {
		return refuse("Invalid driver option '%s' of volume '%s'. It must be %s.", option, deref(v.Name), must)
	}
	for _, option := range slices.Sorted(maps.Keys(opts)) {
		value, ok, must := opts[option], true, ""
		switch option {
		case driver.whole:
			must, ok = "a valueFrom of a secret, a parameter or an S3 object", value != ""
			out.Sources = append(out.Sources, source("", value))
		case driver.list:
			must = "FILE=VALUEFROM, several of them with spaces between, and plain file names"
			ok = fileList(out, value)
		case "mode":
			must, ok = "an octal number of at most 0777", octal(value, &out.Mode)
		case "uid":
			must, ok = "a user id", number(value, &out.UID)
		case "gid":
			must, ok = "a group id", number(value, &out.GID)
		case "signal":
			out.Signal = "SIG" + strings.TrimPrefix(value, "SIG")
			must, ok = "one of "+strings.Join(reloads, ", "), slices.Contains(reloads, out.Signal)
		case "refresh":
			must, ok = "a duration from 1s to 24h, or off", refresh(value, &out.Refresh)
		default:
			return nil, refuse("Unknown driver option '%s' of volume '%s'.", option, deref(v.Name))
		}
		if !ok {
			return nil, wrong(option, must)
		}
	}
	if len(out.Sources) == 0 {
		return nil, refuse("Volume '%s' needs the driver option '%s' or '%s'.", deref(v.Name), driver.whole, driver.list)
	}
	return out, nil
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
	n, err := strconv.ParseUint(text, 10, 16) // those of a user namespace
	*into = uint32(n)
	return err == nil
}

func refresh(text string, seconds *int64) bool {
	if text == refreshOff {
		*seconds = 0
		return true
	}
	d, err := time.ParseDuration(text)
	*seconds = int64(d / time.Second)
	return err == nil && d >= refreshMin && d <= refreshMax
}
