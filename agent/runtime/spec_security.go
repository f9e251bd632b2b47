package runtime

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/contrib/apparmor"
	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/pkg/cap"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// unconfined as an AppArmor profile is none.
const unconfined = "unconfined"

// securityOpts are the options of dockerSecurityOptions that a node of ours has; SELinux labels it has not (SEMANTICS §12).
type securityOpts struct {
	noNewPrivileges bool
	apparmor        string // a profile, or unconfined; "" for the node's default
}

func readSecurityOpts(list []string) (securityOpts, error) {
	var out securityOpts
	for _, o := range list {
		word, value, _ := strings.Cut(strings.Replace(o, "=", ":", 1), ":")
		switch {
		case word == "no-new-privileges" && (value == "" || value == "true" || value == "false"):
			out.noNewPrivileges = value != "false"
		case word == "apparmor" && value != "":
			if value != unconfined && !AppArmor() {
				return out, fmt.Errorf("security option %q: AppArmor is not enabled on this node", o)
			}
			out.apparmor = value
		default:
			return out, fmt.Errorf("security option %q is not supported on this node", o)
		}
	}
	return out, nil
}

// AppArmor says whether the node confines processes with it.
func AppArmor() bool {
	b, err := os.ReadFile("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(b), "Y")
}

// defaultProfile is the AppArmor profile of containers that name none: Docker's.
const defaultProfile = "roadstead-default"

// loadProfile makes the default profile known to the kernel and returns its name, "" on a node without AppArmor.
func loadProfile() (string, error) {
	if !AppArmor() {
		return "", nil
	}
	if err := apparmor.LoadDefaultProfile(defaultProfile); err != nil {
		return "", fmt.Errorf("load AppArmor profile %s: %w", defaultProfile, err)
	}
	return defaultProfile, nil
}

// setPrivileges sets capabilities, seccomp and what of /proc and /sys is hidden.
func setPrivileges(ctx context.Context, s *specs.Spec, in specInput, security securityOpts) error {
	if in.HostConfig.Privileged {
		for i := range s.Mounts { // of the node's own network; WithPrivileged knows a sysfs only
			if m := &s.Mounts[i]; m.Type == "bind" && m.Destination == "/sys" {
				m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "ro" })
			}
		}
		s.Process.ApparmorProfile = security.apparmor
		return oci.ApplyOpts(ctx, nil, nil, s, oci.WithPrivileged, oci.WithHostDevices, oci.WithAllDevicesAllowed)
	}
	s.Process.ApparmorProfile = firstOf(security.apparmor, in.apparmor)
	if security.apparmor == unconfined {
		s.Process.ApparmorProfile = ""
	}
	caps, err := capabilities(in.HostConfig.CapAdd, in.HostConfig.CapDrop)
	if err != nil {
		return err
	}
	s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Permitted: caps, Effective: caps}
	if in.user.UID != 0 { // as the kernel would leave them after a change of user
		s.Process.Capabilities.Permitted, s.Process.Capabilities.Effective = nil, nil
	}
	s.Linux.Seccomp = seccomp.DefaultProfile(s)
	// Kernels are built without the x32 ABI; a filter for it costs every start 3 to 6 ms, and without one the
	// kernel refuses such calls all the same.
	s.Linux.Seccomp.Architectures = slices.DeleteFunc(s.Linux.Seccomp.Architectures, func(a specs.Arch) bool { return a == specs.ArchX32 })
	return nil
}

// defaultCaps is Docker's set.
func defaultCaps() []string {
	return []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
}

// capabilities applies drop to the default set and then add, each with or without CAP_, or ALL; sorted.
func capabilities(add, drop []string) ([]string, error) {
	known := cap.Known()
	set := map[string]bool{}
	for _, c := range defaultCaps() {
		set[c] = true
	}
	for i, names := range [][]string{drop, add} {
		for _, n := range names {
			n = strings.ToUpper(n)
			if n == "ALL" {
				all, err := cap.Current()
				if err != nil {
					return nil, fmt.Errorf("read capabilities: %w", err)
				}
				for _, c := range slices.Concat(all, defaultCaps()) {
					set[c] = i == 1
				}
				continue
			}
			if !strings.HasPrefix(n, "CAP_") {
				n = "CAP_" + n
			}
			if !slices.Contains(known, n) {
				return nil, fmt.Errorf("invalid capability: %q", n)
			}
			set[n] = i == 1
		}
	}
	out := []string{}
	for _, c := range slices.Sorted(maps.Keys(set)) {
		if set[c] {
			out = append(out, c)
		}
	}
	return out, nil
}
