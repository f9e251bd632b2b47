package definition

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// requiredLogOptions names the options without which a driver cannot work (SEMANTICS §13.7) [D].
func requiredLogOptions(d types.LogDriver) []string {
	switch d {
	case types.LogDriverAwslogs:
		return []string{"awslogs-region", "awslogs-group"}
	case types.LogDriverSplunk:
		return []string{"splunk-url", "splunk-token"}
	default:
		return nil
	}
}

// checkLog: the driver is known, has what it needs and is not asked for two things at once (SEMANTICS §13.7).
func checkLog(_ *draft, c *types.ContainerDefinition) error {
	l := c.LogConfiguration
	if l == nil {
		return nil
	}
	if !known(l.LogDriver) {
		return refuse("Invalid log driver '%s' for container '%s'.", l.LogDriver, deref(c.Name)) // [I]
	}
	if l.LogDriver == types.LogDriverAwsfirelens && c.FirelensConfiguration != nil {
		return refuse("The log router container '%s' cannot use the awsfirelens log driver.", deref(c.Name)) // [I]
	}
	if err := checkBufferLimit(c); err != nil {
		return err
	}
	if missing := missingLogOptions(l, requiredLogOptions(l.LogDriver)); len(missing) > 0 {
		return refuse("Log driver %s requires options: %s", l.LogDriver, strings.Join(missing, ", ")) // [O]
	}
	if mode, set := l.Options["mode"]; set && mode != "blocking" && mode != "non-blocking" {
		return refuse("Invalid log mode '%s' for container '%s'. Valid values are blocking and non-blocking.", mode, deref(c.Name)) // [I]
	}
	if l.Options["awslogs-datetime-format"] != "" && l.Options["awslogs-multiline-pattern"] != "" {
		return refuse("You cannot configure both the awslogs-datetime-format and awslogs-multiline-pattern options.") // [D]
	}
	return nil
}

// maxBufferLimit is the largest log-driver-buffer-limit, in bytes [D].
const maxBufferLimit = 536870912

func checkBufferLimit(c *types.ContainerDefinition) error {
	text, set := c.LogConfiguration.Options["log-driver-buffer-limit"]
	if !set || c.LogConfiguration.LogDriver != types.LogDriverAwsfirelens {
		return nil
	}
	if n, err := strconv.Atoi(text); err != nil || n < 0 || n > maxBufferLimit {
		return refuse("Invalid 'log-driver-buffer-limit' option for container '%s'. Valid values are between 0 and %d.", deref(c.Name), maxBufferLimit) // [I]
	}
	return nil
}

// missingLogOptions names the options that neither options nor secretOptions give.
func missingLogOptions(l *types.LogConfiguration, names []string) []string {
	var missing []string
	for _, name := range names {
		secret := slices.ContainsFunc(l.SecretOptions, func(s types.Secret) bool { return deref(s.Name) == name })
		if l.Options[name] == "" && !secret {
			missing = append(missing, name)
		}
	}
	return missing
}

// checkFirelens: the log router's settings (SEMANTICS §13.7) [D].
func checkFirelens(_ *draft, c *types.ContainerDefinition) error {
	f := c.FirelensConfiguration
	if f == nil {
		return nil
	}
	if !known(f.Type) {
		return refuse("Invalid 'type' setting for firelensConfiguration of container '%s'.", deref(c.Name)) // [I]
	}
	kind, set := f.Options["config-file-type"]
	if set && kind != "s3" && kind != "file" {
		return refuse("Invalid 'config-file-type' option for firelensConfiguration of container '%s'.", deref(c.Name)) // [I]
	}
	if set && f.Options["config-file-value"] == "" {
		return refuse("The 'config-file-type' option for firelensConfiguration of container '%s' requires 'config-file-value'.", deref(c.Name)) // [I]
	}
	return nil
}

// checkRouter: a task has one log router at most, and exactly one if a container logs through it [D].
func checkRouter(d *draft) error {
	routers, users := 0, 0
	for i := range d.ContainerDefinitions {
		c := &d.ContainerDefinitions[i]
		if c.FirelensConfiguration != nil {
			routers++
		}
		if c.LogConfiguration != nil && c.LogConfiguration.LogDriver == types.LogDriverAwsfirelens {
			users++
		}
	}
	if routers > 1 {
		return refuse("Only one container in the task definition can have a firelensConfiguration.") // [I]
	}
	if users > 0 && routers == 0 {
		return refuse("The awsfirelens log driver requires a container with a firelensConfiguration in the task definition.") // [I]
	}
	return nil
}
