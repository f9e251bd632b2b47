package definition

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// kernelCapabilities are those that Docker can add and drop [D].
const kernelCapabilities = " ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID " +
	"IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST " +
	"NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO " +
	"SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM "

// tmpfsOptions are the mount options of a tmpfs; some take a value after "=" [D].
const tmpfsOptions = " defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime " +
	"diratime nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime " +
	"strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol "

func listed(list, word string) bool {
	return word != "" && !strings.Contains(word, " ") && strings.Contains(list, " "+word+" ")
}

// checkUlimits: names are known and the soft limit is not above the hard one; -1 is unlimited [D].
func checkUlimits(_ *draft, c *types.ContainerDefinition) error {
	var seen []types.UlimitName
	for _, u := range c.Ulimits {
		name := deref(c.Name)
		switch {
		case !known(u.Name):
			return refuse("Invalid ulimit name '%s' for container '%s'.", u.Name, name) // [I]
		case slices.Contains(seen, u.Name):
			return refuse("Duplicate ulimit '%s' for container '%s'.", u.Name, name) // [I]
		case u.HardLimit < -1 || u.SoftLimit < -1:
			return refuse("Invalid ulimit '%s' for container '%s'.", u.Name, name) // [I]
		case u.HardLimit != -1 && (u.SoftLimit == -1 || u.SoftLimit > u.HardLimit):
			return refuse("Invalid ulimit '%s' for container '%s'. The soft limit must not be greater than the hard limit.", u.Name, name) // [I]
		}
		seen = append(seen, u.Name)
	}
	return nil
}

// checkLinux: capabilities, devices, tmpfs mounts and memory behaviour of linuxParameters [D].
func checkLinux(_ *draft, c *types.ContainerDefinition) error {
	l, name := c.LinuxParameters, deref(c.Name)
	if l == nil {
		return nil
	}
	if k := l.Capabilities; k != nil {
		for _, word := range slices.Concat(k.Add, k.Drop) {
			if !listed(kernelCapabilities, word) {
				return refuse("Invalid capability '%s' for container '%s'.", word, name) // [I]
			}
		}
	}
	for _, dev := range l.Devices {
		if deref(dev.HostPath) == "" {
			return refuse("Device.hostPath should not be null or empty.") // [I]
		}
		for _, p := range dev.Permissions {
			if !known(p) {
				return refuse("Invalid device permission '%s' for container '%s'.", p, name) // [I]
			}
		}
	}
	for _, t := range l.Tmpfs {
		if err := checkTmpfs(name, &t); err != nil {
			return err
		}
	}
	switch {
	case deref(l.SharedMemorySize) < 0:
		return refuse("Invalid 'sharedMemorySize' setting for container '%s'.", name) // [I]
	case deref(l.MaxSwap) < 0:
		return refuse("Invalid 'maxSwap' setting for container '%s'.", name) // [I]
	case !inRange(l.Swappiness, 0, 100):
		return refuse("Invalid 'swappiness' setting for container '%s'. It must be between 0 and 100.", name) // [I]
	}
	return nil
}

func checkTmpfs(container string, t *types.Tmpfs) error {
	if !strings.HasPrefix(deref(t.ContainerPath), "/") {
		return refuse("Tmpfs.containerPath of container '%s' must be an absolute path.", container) // [I]
	}
	if t.Size < 1 {
		return refuse("Tmpfs.size of container '%s' must be greater than 0.", container) // [I]
	}
	for _, o := range t.MountOptions {
		if word, _, _ := strings.Cut(o, "="); !listed(tmpfsOptions, word) {
			return refuse("Invalid tmpfs mount option '%s' for container '%s'.", o, container) // [I]
		}
	}
	return nil
}

// ipcControls are the kernel parameters of the IPC namespace; fs.mqueue.* is too [D].
const ipcControls = " kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced "

// checkSystemControls: only parameters of a namespace that is the container's own [D].
func checkSystemControls(d *draft, c *types.ContainerDefinition) error {
	for _, s := range c.SystemControls {
		key := deref(s.Namespace)
		switch {
		case strings.HasPrefix(key, "net."):
			if d.NetworkMode == types.NetworkModeHost {
				return refuse("Network namespace systemControls are not supported when networkMode=host.") // [I]
			}
		case listed(ipcControls, key) || strings.HasPrefix(key, "fs.mqueue."):
			if d.IpcMode == types.IpcModeHost {
				return refuse("IPC namespace systemControls are not supported when ipcMode=host.") // [I]
			}
		default:
			return refuse("Invalid systemControls namespace '%s' for container '%s'.", key, deref(c.Name)) // [I]
		}
	}
	return nil
}

// checkSecurity: security options and credential specs have one of the documented forms [D].
func checkSecurity(_ *draft, c *types.ContainerDefinition) error {
	for _, o := range c.DockerSecurityOptions {
		word, _, valued := strings.Cut(o, ":")
		if o != "no-new-privileges" && !(valued && slices.Contains([]string{"no-new-privileges", "apparmor", "label", "credentialspec"}, word)) {
			return refuse("Invalid dockerSecurityOptions '%s' for container '%s'.", o, deref(c.Name)) // [I]
		}
	}
	if len(c.CredentialSpecs) > 1 {
		return refuse("Container '%s' has more than one credential spec.", deref(c.Name)) // [I]
	}
	for _, s := range c.CredentialSpecs {
		if !strings.HasPrefix(s, "credentialspec:") && !strings.HasPrefix(s, "credentialspecdomainless:") {
			return refuse("Invalid credential spec '%s' for container '%s'.", s, deref(c.Name)) // [I]
		}
	}
	return nil
}
