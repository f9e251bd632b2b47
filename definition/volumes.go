package definition

import (
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Ephemeral storage in GiB (SEMANTICS §4.2) [D].
const (
	minStorage = 21
	maxStorage = 200
)

func checkStorage(d *draft) error {
	if d.EphemeralStorage == nil {
		return nil
	}
	if d.EphemeralStorage.SizeInGiB < minStorage {
		return refuse("EphemeralStorage size should be at least %d", minStorage) // [O]
	}
	if d.EphemeralStorage.SizeInGiB > maxStorage {
		return refuse("EphemeralStorage size should be at most %d", maxStorage) // [O]
	}
	return nil
}

// fillVolume fills a Docker volume's scope: task, or shared if the volume may be provisioned [I].
func fillVolume(v *types.Volume) {
	if c := v.DockerVolumeConfiguration; c != nil && c.Scope == "" {
		c.Scope = types.ScopeTask
		if c.Autoprovision != nil {
			c.Scope = types.ScopeShared
		}
	}
}

// checkVolumes: volumes have names of their own and one kind each (SEMANTICS §13.5) [D].
func checkVolumes(d *draft) error {
	seen, atLaunch := map[string]bool{}, 0
	for i := range d.Volumes {
		v := &d.Volumes[i]
		name := deref(v.Name)
		switch {
		case name == "":
			return refuse("Volume.name should not be null or empty.") // [I]
		case !isName(name):
			return refuse("Volume.name contains invalid characters.") // [I]
		case seen[name]:
			return refuse("Volume.name must be unique. '%s' is used more than once.", name) // [I]
		}
		seen[name] = true
		if deref(v.ConfiguredAtLaunch) {
			atLaunch++
		}
		if kinds(v) > 1 {
			return refuse("Volume '%s' must have only one type of configuration.", name) // [I]
		}
		if err := checkVolume(v); err != nil {
			return err
		}
		if err := checkFiles(d, v); err != nil {
			return err
		}
	}
	if atLaunch > 1 {
		return refuse("A task definition can have only one volume that is configured at launch.") // [I]
	}
	return nil
}

// kinds counts what the volume claims to be; nothing is a bind mount of the task's lifetime.
func kinds(v *types.Volume) int {
	n := 0
	for _, set := range []bool{
		v.Host != nil, v.DockerVolumeConfiguration != nil, v.EfsVolumeConfiguration != nil,
		v.FsxWindowsFileServerVolumeConfiguration != nil, v.S3filesVolumeConfiguration != nil, deref(v.ConfiguredAtLaunch),
	} {
		if set {
			n++
		}
	}
	return n
}

func checkVolume(v *types.Volume) error {
	switch {
	case v.Host != nil:
		if v.Host.SourcePath != nil && *v.Host.SourcePath == "" {
			return refuse("host.sourcePath should not be blank.") // [O]
		}
	case v.DockerVolumeConfiguration != nil:
		return checkDockerVolume(deref(v.Name), v.DockerVolumeConfiguration)
	case v.EfsVolumeConfiguration != nil:
		return checkEFS(v.EfsVolumeConfiguration)
	case v.FsxWindowsFileServerVolumeConfiguration != nil:
		c := v.FsxWindowsFileServerVolumeConfiguration
		if deref(c.FileSystemId) == "" || deref(c.RootDirectory) == "" || c.AuthorizationConfig == nil {
			return refuse("fsxWindowsFileServerVolumeConfiguration needs fileSystemId, rootDirectory and authorizationConfig.") // [I]
		}
	case v.S3filesVolumeConfiguration != nil:
		c := v.S3filesVolumeConfiguration
		if deref(c.FileSystemArn) == "" {
			return refuse("s3filesVolumeConfiguration.fileSystemArn should not be null or empty.") // [I]
		}
		if deref(c.AccessPointArn) != "" && !isRoot(c.RootDirectory) {
			return refuse("rootDirectory must be omitted or set to '/' when an access point is specified.") // [I]
		}
		if !inRange(c.TransitEncryptionPort, 0, maxPort) {
			return refuse("Invalid 'transitEncryptionPort' setting for volume '%s'.", deref(v.Name)) // [I]
		}
	}
	return nil
}

// checkDockerVolume: autoprovision is for shared volumes; one of scope task is always made and removed with its task [D].
func checkDockerVolume(name string, c *types.DockerVolumeConfiguration) error {
	if !known(c.Scope) {
		return refuse("Invalid 'scope' setting for volume '%s'.", name) // [I]
	}
	if c.Scope == types.ScopeTask && c.Autoprovision != nil {
		return refuse("autoprovision of volume '%s' can only be specified when the scope is shared.", name) // [I]
	}
	return nil
}

// checkEFS: IAM and access points need encryption on the way, and an access point sets the root itself [D].
func checkEFS(c *types.EFSVolumeConfiguration) error {
	if deref(c.FileSystemId) == "" {
		return refuse("efsVolumeConfiguration.fileSystemId should not be null or empty.") // [I]
	}
	if c.TransitEncryption != "" && !known(c.TransitEncryption) {
		return refuse("Invalid 'transitEncryption' setting for efsVolumeConfiguration.") // [I]
	}
	if !inRange(c.TransitEncryptionPort, 0, maxPort) {
		return refuse("Invalid 'transitEncryptionPort' setting for efsVolumeConfiguration.") // [I]
	}
	a := c.AuthorizationConfig
	if a == nil {
		return nil
	}
	encrypted := c.TransitEncryption == types.EFSTransitEncryptionEnabled
	switch {
	case a.Iam != "" && !known(a.Iam):
		return refuse("Invalid 'iam' setting for efsVolumeConfiguration.") // [I]
	case a.Iam == types.EFSAuthorizationConfigIAMEnabled && !encrypted:
		return refuse("Transit encryption must be enabled when IAM authorization is used.") // [I]
	case deref(a.AccessPointId) != "" && !encrypted:
		return refuse("Transit encryption must be enabled when an access point is specified.") // [I]
	case deref(a.AccessPointId) != "" && !isRoot(c.RootDirectory):
		return refuse("rootDirectory must be omitted or set to '/' when an access point is specified.") // [I]
	}
	return nil
}

func isRoot(dir *string) bool { return deref(dir) == "" || *dir == "/" }

// checkMounts: mount points name a volume of the task, volumesFrom another container of it (SEMANTICS §13.5) [D].
func checkMounts(d *draft, c *types.ContainerDefinition) error {
	paths := map[string]bool{}
	for _, m := range c.MountPoints {
		if d.volume(deref(m.SourceVolume)) == nil {
			name := "null"
			if m.SourceVolume != nil {
				name = *m.SourceVolume
			}
			return refuse("Unknown volume '%s'.", name) // [O]
		}
		path := deref(m.ContainerPath)
		if path == "" {
			return refuse("mountPoints.containerPath should not be null or empty.") // [I]
		}
		if paths[path] {
			return refuse("Duplicate mount point '%s' for container '%s'.", path, deref(c.Name)) // [I]
		}
		paths[path] = true
	}
	for _, v := range c.VolumesFrom {
		if from := deref(v.SourceContainer); d.named[from] == nil || from == deref(c.Name) {
			return refuse("Unknown container '%s' in volumesFrom of container '%s'.", from, deref(c.Name)) // [I]
		}
	}
	return nil
}

func (d *draft) volume(name string) *types.Volume {
	for i := range d.Volumes {
		if deref(d.Volumes[i].Name) == name {
			return &d.Volumes[i]
		}
	}
	return nil
}
