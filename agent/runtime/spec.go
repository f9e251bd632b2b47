package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/roadstead/roadstead/agent/task"
)

// specInput is everything that a container's OCI spec depends on.
type specInput struct {
	task.ContainerSpec
	image     ocispec.ImageConfig
	user      specs.User
	cgroup    string // the container's own, below the task's
	hostname  string
	files     []task.Mount // /etc/hosts and its like
	pidsLimit int64
	noFile    uint64 // soft and hard bound on open files where the task names none
	share     sharedNamespaces
	gpus      map[string][]string // the node's, device files by id
	init      string              // the node's program for initProcessEnabled, "" if it has none
	apparmor  string              // profile of containers that name none, "" on a node without AppArmor
}

// sharedNamespaces are the paths of namespaces to join, "" for one's own, and with ipc the directory of the shared memory.
type sharedNamespaces struct{ pid, ipc, shm string }

var (
	errNoCommand = errors.New("no command specified")
	errNoInit    = errors.New("initProcessEnabled needs the program catatonit on the node: install the package of that name")
)

// initPath is where the first process of a container with initProcessEnabled is found: /dev is a tmpfs of the container's
// own, so that nothing is made in its image.
const initPath = "/dev/init"

// wantsInit says whether the container gets a first process that passes signals on and collects orphans. Where the task's
// containers share a process namespace, that namespace's own first process does so.
func wantsInit(spec task.ContainerSpec) bool {
	return spec.HostConfig.Init != nil && *spec.HostConfig.Init && pidMode(spec) != "task"
}

// buildSpec is pure but for looking at the node's devices and own capabilities.
func buildSpec(ctx context.Context, in specInput) (*specs.Spec, error) {
	ctx = namespaces.WithNamespace(ctx, "roadstead") // GenerateSpec wants one for a path that we replace
	s, err := oci.GenerateSpec(ctx, nil, &containers.Container{ID: containerdID(in.ID)})
	if err != nil {
		return nil, fmt.Errorf("generate spec: %w", err)
	}
	if s.Process.Args = processArgs(in); len(s.Process.Args) == 0 {
		return nil, errNoCommand
	}
	if wantsInit(in.ContainerSpec) {
		if in.init == "" {
			return nil, errNoInit
		}
		s.Process.Args = slices.Concat([]string{initPath, "--"}, s.Process.Args)
	}
	s.Process.Env = processEnv(in)
	s.Process.Cwd = firstOf(in.Config.WorkingDir, in.image.WorkingDir, "/")
	s.Process.User = in.user
	s.Process.Terminal = in.Config.Tty
	security, err := readSecurityOpts(in.HostConfig.SecurityOpt)
	if err != nil {
		return nil, err
	}
	s.Process.NoNewPrivileges = security.noNewPrivileges
	if s.Process.Rlimits, err = rlimits(in.HostConfig.Ulimits, in.noFile); err != nil {
		return nil, err
	}
	s.Root.Readonly = in.HostConfig.ReadonlyRootfs
	s.Hostname = in.hostname
	s.Linux.CgroupsPath = in.cgroup
	setNamespaces(s, in)
	s.Linux.Sysctl = sysctls(in)
	if s.Mounts, err = mounts(in); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" }) {
		// Its own cgroup is all that it sees, and mounting that is cheaper than a bind for each controller. One that
		// sees the node's cgroups must find itself among them.
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	setResources(s, in)
	if err := setDevices(ctx, s, in); err != nil {
		return nil, err
	}
	if err := setPrivileges(ctx, s, in, security); err != nil {
		return nil, err
	}
	setUserNamespace(s, in)
	return s, nil
}

// processArgs follows Docker: an entry point of the task's own drops the image's command.
func processArgs(in specInput) []string {
	entry, command := in.image.Entrypoint, in.image.Cmd
	if len(in.Container.EntryPoint) > 0 {
		entry, command = in.Container.EntryPoint, nil
	}
	if len(in.Container.Command) > 0 {
		command = in.Container.Command
	}
	return slices.Concat(entry, command)
}

// processEnv is PATH and HOSTNAME, then the image's, then the task's; sorted so that equal input gives equal specs.
func processEnv(in specInput) []string {
	env := map[string]string{
		"PATH":     "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME": in.hostname,
	}
	if in.Config.Tty {
		env["TERM"] = "xterm"
	}
	for _, kv := range in.image.Env {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	maps.Copy(env, in.Environment)
	addRegion(env, in.Region)
	out := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// addRegion tells the Region, unless the container's image or task has named one.
func addRegion(env map[string]string, region string) {
	const name, other = "AWS_REGION", "AWS_DEFAULT_REGION"
	_, set := env[name]
	_, too := env[other]
	if region != "" && !set && !too {
		env[name], env[other] = region, region
	}
}

// fargateNoFile is the bound on open files where the task names none.
const fargateNoFile = 65535

// nodeNoFile is what the node may give: a restricted root cannot raise its own bound.
func nodeNoFile() uint64 {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		return fargateNoFile
	}
	return min(fargateNoFile, own.Max)
}

func rlimits(ulimits []ulimit, noFileDefault uint64) ([]specs.POSIXRlimit, error) {
	out := []specs.POSIXRlimit{}
	noFile := false
	for _, u := range ulimits {
		name := "RLIMIT_" + strings.ToUpper(u.Name)
		if !knownRlimit(name) {
			return nil, fmt.Errorf("invalid ulimit type: %s", u.Name)
		}
		noFile = noFile || name == "RLIMIT_NOFILE"
		out = append(out, specs.POSIXRlimit{Type: name, Soft: uint64(u.Soft), Hard: uint64(u.Hard)}) // -1 is no limit
	}
	if !noFile {
		out = append(out, specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: noFileDefault, Hard: noFileDefault})
	}
	return out, nil
}

func knownRlimit(name string) bool {
	switch name {
	case "RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE",
		"RLIMIT_NICE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING", "RLIMIT_STACK":
		return true
	}
	return false
}

func setNamespaces(s *specs.Spec, in specInput) {
	set := func(kind specs.LinuxNamespaceType, hosts bool, join string) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
		if !hosts {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: join})
		}
	}
	set(specs.NetworkNamespace, hostNetwork(in.ContainerSpec), in.Sandbox.Path)
	set(specs.PIDNamespace, pidMode(in.ContainerSpec) == "host", in.share.pid)
	set(specs.IPCNamespace, ipcMode(in.ContainerSpec) == "host", in.share.ipc)
}

func networkMode(spec task.ContainerSpec) string {
	return firstOf(spec.Sandbox.Mode, spec.Task.NetworkMode, "bridge")
}

// hostNetwork says whether the container lives in the node's own network namespace.
func hostNetwork(spec task.ContainerSpec) bool {
	return spec.Sandbox.Path == "" && networkMode(spec) == "host"
}

func pidMode(spec task.ContainerSpec) string {
	return firstOf(spec.HostConfig.PidMode, spec.Task.PidMode)
}
func ipcMode(spec task.ContainerSpec) string {
	return firstOf(spec.HostConfig.IpcMode, spec.Task.IpcMode)
}

// sysctls lets unprivileged processes ping and listen on any port, as Docker does, in namespaces of their own.
func sysctls(in specInput) map[string]string {
	out := map[string]string{}
	if !hostNetwork(in.ContainerSpec) {
		out["net.ipv4.ip_unprivileged_port_start"] = "0"
		out["net.ipv4.ping_group_range"] = "0 2147483647"
		if in.Sandbox.UserBase > 0 {
			out["net.ipv4.ping_group_range"] = "0 65535" // it has no others
		}
	}
	maps.Copy(out, in.HostConfig.Sysctls)
	return out
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
