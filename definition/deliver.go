package definition

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Undeliverable names the first feature of an effective definition that a payload cannot carry to a node, "" if there is
// none. A task that would silently lack a secret or write its data to a volume that vanishes must not start: Payload
// refuses it, and whoever creates tasks may ask here first.
func Undeliverable(def *types.TaskDefinition) string {
	if p := proxy(def.ProxyConfiguration); p != nil {
		if _, err := p.Redirection(); err != nil { // registered by an earlier version, which did not look
			return "proxyConfiguration (" + err.Error() + ")"
		}
	}
	for i := range def.Volumes {
		v := &def.Volumes[i]
		if what := obstacle(v); what != "" && mounted(def, deref(v.Name)) {
			return what + " volume " + deref(v.Name)
		}
	}
	for i := range def.ContainerDefinitions {
		if name := undeliverable(&def.ContainerDefinitions[i]); name != "" {
			return name + " of container " + deref(def.ContainerDefinitions[i].Name)
		}
	}
	return ""
}

func undeliverable(c *types.ContainerDefinition) string {
	for _, f := range []struct {
		name string
		used bool
	}{
		{"credentialSpecs", len(c.CredentialSpecs) > 0},
		{"resourceRequirements", slices.ContainsFunc(c.ResourceRequirements, func(r types.ResourceRequirement) bool { return r.Type != types.ResourceTypeGpu })},
	} {
		if f.used {
			return f.name
		}
	}
	return ""
}

func mounted(def *types.TaskDefinition, volume string) bool {
	return slices.ContainsFunc(def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
		return slices.ContainsFunc(c.MountPoints, func(m types.MountPoint) bool { return deref(m.SourceVolume) == volume })
	})
}

// obstacle says what of a volume no node can be given, as "X of"; "" if there is nothing. Docker volumes of other drivers than
// local need a node with the driver's attribute, and so are nobody's here.
func obstacle(v *types.Volume) string {
	if c := v.EfsVolumeConfiguration; c != nil && c.AuthorizationConfig != nil {
		switch a := c.AuthorizationConfig; {
		case deref(a.AccessPointId) != "":
			return "the EFS access point of"
		case a.Iam == types.EFSAuthorizationConfigIAMEnabled:
			return "the IAM authorization of"
		}
	}
	switch {
	case v.FsxWindowsFileServerVolumeConfiguration != nil:
		return "the FSx file system of"
	case v.S3filesVolumeConfiguration != nil:
		return "the S3 files of"
	case deref(v.ConfiguredAtLaunch):
		return "the configuration at launch of"
	}
	return ""
}
