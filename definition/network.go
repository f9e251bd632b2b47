package definition

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/acs"
)

// checkModes: network, process and IPC modes are known words (SEMANTICS §13.1) [D].
func checkModes(d *draft) error {
	if d.NetworkMode != "" && !known(d.NetworkMode) {
		return refuse("Invalid 'networkMode' setting for task.") // [I]
	}
	if d.PidMode != "" && !known(d.PidMode) {
		return refuse("Invalid 'pidMode' setting for task.") // [I]
	}
	if d.IpcMode != "" && !known(d.IpcMode) {
		return refuse("Invalid 'ipcMode' setting for task.") // [I]
	}
	return nil
}

// checkRoles: a role that is given has a name [O]; whether it may be assumed is the caller's question.
func checkRoles(d *draft) error {
	for _, role := range []*string{d.TaskRoleArn, d.ExecutionRoleArn} {
		if role != nil && strings.TrimSpace(*role) == "" {
			return refuse("Role is not valid")
		}
	}
	return nil
}

// checkNetworkSettings: links need bridge; DNS, extra hosts and a hostname do not go with awsvpc (SEMANTICS §13.1) [D].
func checkNetworkSettings(d *draft, c *types.ContainerDefinition) error {
	if len(c.Links) > 0 && d.NetworkMode != types.NetworkModeBridge {
		return refuse("Links are not supported when networkMode=%s.", d.NetworkMode) // [O]
	}
	for _, link := range c.Links {
		name, alias, aliased := strings.Cut(link, ":")
		if !isName(name) || aliased && !isName(alias) {
			return refuse("Invalid link '%s' in container '%s'.", link, deref(c.Name)) // [I]
		}
		if d.named[name] == nil || name == deref(c.Name) {
			return refuse("Unknown container '%s' in links of container '%s'.", name, deref(c.Name)) // [I]
		}
	}
	for _, h := range c.ExtraHosts {
		if deref(h.Hostname) == "" || deref(h.IpAddress) == "" {
			return refuse("extraHosts of container '%s' need a hostname and an ipAddress.", deref(c.Name)) // [I]
		}
	}
	if d.NetworkMode != types.NetworkModeAwsvpc {
		return nil
	}
	for _, s := range []struct {
		name string
		set  bool
	}{
		{"hostname", deref(c.Hostname) != ""},
		{"extraHosts", len(c.ExtraHosts) > 0},
		{"dnsServers", len(c.DnsServers) > 0},
		{"dnsSearchDomains", len(c.DnsSearchDomains) > 0},
	} {
		if s.set {
			return refuse("%s is not supported on container when networkMode=awsvpc.", s.name) // [I]
		}
	}
	return nil
}

// checkCompatibilities: launch types are known words [D].
func checkCompatibilities(d *draft) error {
	for _, c := range d.RequiresCompatibilities {
		if !known(c) {
			return refuse("Invalid 'requiresCompatibilities' setting for task: %s.", c) // [I]
		}
	}
	return nil
}

// checkPlatform: the platform's parts are known words [D].
func checkPlatform(d *draft) error {
	p := d.RuntimePlatform
	if p == nil {
		return nil
	}
	if p.CpuArchitecture != "" && !known(p.CpuArchitecture) {
		return refuse("Invalid 'cpuArchitecture' setting for runtimePlatform.") // [I]
	}
	if p.OperatingSystemFamily != "" && !known(p.OperatingSystemFamily) {
		return refuse("Invalid 'operatingSystemFamily' setting for runtimePlatform.") // [I]
	}
	return nil
}

// checkProxy: an App Mesh proxy is a container of an awsvpc task [D].
func checkProxy(d *draft) error {
	p := d.ProxyConfiguration
	if p == nil {
		return nil
	}
	switch {
	case p.Type != "" && !known(p.Type):
		return refuse("Invalid 'type' setting for proxyConfiguration.") // [I]
	case deref(p.ContainerName) == "":
		return refuse("proxyConfiguration.containerName should not be null or empty.") // [I]
	case d.named[*p.ContainerName] == nil:
		return refuse("The container '%s' of proxyConfiguration does not exist in the task definition.", *p.ContainerName) // [I]
	case d.NetworkMode != types.NetworkModeAwsvpc:
		return refuse("proxyConfiguration is only supported when networkMode=awsvpc.") // [I]
	}
	if _, err := proxy(p).Redirection(); err != nil {
		return refuse("Invalid 'properties' setting for proxyConfiguration: %s.", err) // [I]
	}
	return nil
}

// proxy is a definition's proxy as nodes are told it; APPMESH is the type if none is said [D].
func proxy(p *types.ProxyConfiguration) *acs.ProxyConfiguration {
	if p == nil {
		return nil
	}
	out := &acs.ProxyConfiguration{Type: acs.ProxyAppMesh, Container: deref(p.ContainerName), Properties: map[string]string{}}
	for _, x := range p.Properties {
		out.Properties[deref(x.Name)] = deref(x.Value)
	}
	return out
}

// maxConstraints is the most placement constraints of a definition (SEMANTICS §5.2) [D].
const maxConstraints = 10

// checkPlacement: a definition's constraints are memberOf with an expression (SEMANTICS §5.2) [D]. Whether that parses is for
// those to say who know the query language.
func checkPlacement(d *draft) error {
	if len(d.PlacementConstraints) > maxConstraints {
		return refuse("Maximum number of constraints is %d", maxConstraints) // [I]
	}
	for _, c := range d.PlacementConstraints {
		if !known(c.Type) {
			return refuse("constraint.type '%s' is not supported.", c.Type) // [O]
		}
		if strings.TrimSpace(deref(c.Expression)) == "" {
			return refuse("memberOf expression should be specified.") // [I]
		}
	}
	return nil
}
