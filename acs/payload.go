package acs

import "strings"

// Task is a task as PayloadMessage carries it to a node: everything that the node needs to run it. A stop carries
// only Arn and DesiredStatus STOPPED.
type Task struct {
	Arn               string      `json:"arn"`
	Family            string      `json:"family,omitempty"`
	Version           string      `json:"version,omitempty"` // the revision
	DesiredStatus     string      `json:"desiredStatus"`     // RUNNING or STOPPED
	ClusterArn        string      `json:"taskClusterArn,omitempty"`
	NetworkMode       string      `json:"networkMode,omitempty"` // "" means bridge
	LaunchType        string      `json:"launchType,omitempty"`
	ServiceName       string      `json:"serviceName,omitempty"`
	Group             string      `json:"group,omitempty"`
	CPU               float64     `json:"cpu,omitempty"`    // vCPUs, 0.25
	Memory            int64       `json:"memory,omitempty"` // MiB
	Containers        []Container `json:"containers,omitempty"`
	Volumes           []Volume    `json:"volumes,omitempty"`
	PidMode           string      `json:"pidMode,omitempty"`
	IpcMode           string      `json:"ipcMode,omitempty"`
	NetworkInterfaces []ENI       `json:"elasticNetworkInterfaces,omitempty"`
	// Proxy is that of a task in mode awsvpc, nil for none.
	Proxy          *ProxyConfiguration `json:"proxyConfiguration,omitempty"`
	Overrides      string              `json:"overrides,omitempty"`
	FaultInjection bool                `json:"enableFaultInjection,omitempty"`
	// Associations give containers devices of the node.
	Associations []Association `json:"associations,omitempty"`
	// EphemeralStorage is in GiB, 0 = as much as the node has. It is ours: stock agents run no FARGATE tasks.
	EphemeralStorage int64      `json:"roadsteadEphemeralStorage,omitempty"`
	RoleCredentials  *RoleCreds `json:"roleCredentials,omitempty"`
	// NoEndpoint asks our own agent not to tell containers where the control plane's API is.
	NoEndpoint    bool       `json:"roadsteadNoEndpoint,omitempty"`
	ExecutionRole *RoleCreds `json:"executionRoleCredentials,omitempty"`
}

// Association gives containers a device of the node: of type "gpu" the one with the id Name.
type Association struct {
	Containers []string `json:"containers"`
	Name       string   `json:"name"`
	Type       string   `json:"type"`
}

// Container is one container of a Task.
type Container struct {
	Name        string            `json:"name"`
	Arn         string            `json:"containerArn,omitempty"`
	Image       string            `json:"image"`
	CPU         int64             `json:"cpu"`    // shares
	Memory      int64             `json:"memory"` // hard limit MiB, 0 = none
	Essential   bool              `json:"essential"`
	Command     []string          `json:"command,omitempty"`
	EntryPoint  []string          `json:"entryPoint,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	// EnvironmentFiles have further variables. Environment wins over them, and an earlier file over a later one.
	EnvironmentFiles []EnvironmentFile `json:"environmentFiles,omitempty"`
	Secrets          []Secret          `json:"secrets,omitempty"`
	PortMappings     []PortMapping     `json:"portMappings,omitempty"`
	MountPoints      []MountPoint      `json:"mountPoints,omitempty"`
	VolumesFrom      []VolumeFrom      `json:"volumesFrom,omitempty"`
	Links            []string          `json:"links,omitempty"`
	DependsOn        []Dependency      `json:"dependsOn,omitempty"`
	StartTimeout     int64             `json:"startTimeout,omitempty"` // seconds
	StopTimeout      int64             `json:"stopTimeout,omitempty"`  // seconds
	RegistryAuth     *RegistryAuth     `json:"registryAuthentication,omitempty"`
	// HealthCheckType is "docker" when DockerConfig renders a health check.
	HealthCheckType string `json:"healthCheckType,omitempty"`
	// LogsAuth is LogsAuthExecution if the log driver awslogs works with the task's execution role.
	LogsAuth      string         `json:"logsAuthStrategy,omitempty"`
	RestartPolicy *RestartPolicy `json:"restartPolicy,omitempty"`
	Firelens      *Firelens      `json:"firelensConfiguration,omitempty"` // of the task's log router
	Docker        DockerConfig   `json:"dockerConfig"`
}

// Firelens makes a container the log router of its task (SEMANTICS §13.7).
type Firelens struct {
	Type    string            `json:"type"` // fluentbit or fluentd
	Options map[string]string `json:"options,omitempty"`
}

// EnvironmentFile is a file of variables that the node gets itself, with the task's execution role (SEMANTICS §11.5).
type EnvironmentFile struct {
	Value string `json:"value"` // ARN of an S3 object
	Type  string `json:"type"`  // s3
}

// Secret is a variable, or an option of the log driver, whose value the node gets itself, with the task's execution role (SEMANTICS §13.6).
type Secret struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
	Provider  string `json:"provider"` // ssm or asm
	Type      string `json:"type"`     // ENVIRONMENT_VARIABLE
	Target    string `json:"target"`   // SecretForContainer or SecretForLogDriver
	Region    string `json:"region"`
}

// LogsAuthExecution is the one LogsAuth (AGENT-PROTOCOL §1.2).
const LogsAuthExecution = "ExecutionRole"

// What a Secret is for (AGENT-PROTOCOL §1.2).
const (
	SecretForContainer = "CONTAINER"
	SecretForLogDriver = "LOG_DRIVER"
)

// DockerConfig carries Docker API Config and HostConfig objects as JSON text (AGENT-PROTOCOL §1.2).
type DockerConfig struct {
	Config     string `json:"config,omitempty"`     // a JSON ContainerConfig
	HostConfig string `json:"hostConfig,omitempty"` // a JSON HostConfig
	Version    string `json:"version,omitempty"`
}

// ContainerConfig is the part of Docker's Config that we render and read.
type ContainerConfig struct {
	Hostname    string            `json:"Hostname,omitempty"`
	User        string            `json:"User,omitempty"`
	WorkingDir  string            `json:"WorkingDir,omitempty"`
	Labels      map[string]string `json:"Labels,omitempty"`
	StopSignal  string            `json:"StopSignal,omitempty"`
	Tty         bool              `json:"Tty,omitempty"`
	OpenStdin   bool              `json:"OpenStdin,omitempty"`
	Healthcheck *Healthcheck      `json:"Healthcheck,omitempty"`
}

// Healthcheck is Docker's, durations in nanoseconds.
type Healthcheck struct {
	Test        []string `json:"Test,omitempty"`
	Interval    int64    `json:"Interval,omitempty"`
	Timeout     int64    `json:"Timeout,omitempty"`
	StartPeriod int64    `json:"StartPeriod,omitempty"`
	Retries     int      `json:"Retries,omitempty"`
}

// HostConfig is the part of Docker's HostConfig that we render and read.
type HostConfig struct {
	NetworkMode       string            `json:"NetworkMode,omitempty"`
	CapAdd            []string          `json:"CapAdd,omitempty"`
	CapDrop           []string          `json:"CapDrop,omitempty"`
	DNS               []string          `json:"Dns,omitempty"`
	DNSSearch         []string          `json:"DnsSearch,omitempty"`
	ExtraHosts        []string          `json:"ExtraHosts,omitempty"` // "name:ip"
	Privileged        bool              `json:"Privileged,omitempty"`
	ReadonlyRootfs    bool              `json:"ReadonlyRootfs,omitempty"`
	SecurityOpt       []string          `json:"SecurityOpt,omitempty"`
	ShmSize           int64             `json:"ShmSize,omitempty"` // bytes
	Sysctls           map[string]string `json:"Sysctls,omitempty"`
	Tmpfs             map[string]string `json:"Tmpfs,omitempty"`
	Init              *bool             `json:"Init,omitempty"`
	Ulimits           []Ulimit          `json:"Ulimits,omitempty"`
	LogConfig         LogConfig         `json:"LogConfig"`
	Devices           []Device          `json:"Devices,omitempty"`
	MemoryReservation int64             `json:"MemoryReservation,omitempty"` // bytes
	MemorySwap        int64             `json:"MemorySwap,omitempty"`        // bytes
	MemorySwappiness  *int64            `json:"MemorySwappiness,omitempty"`
	PidMode           string            `json:"PidMode,omitempty"`
	IpcMode           string            `json:"IpcMode,omitempty"`
}

// Ulimit is one resource limit, name as in "nofile".
type Ulimit struct {
	Name string `json:"Name"`
	Soft int64  `json:"Soft"`
	Hard int64  `json:"Hard"`
}

// LogConfig names the log driver of a container.
type LogConfig struct {
	Type   string            `json:"Type,omitempty"`
	Config map[string]string `json:"Config,omitempty"`
}

// Device maps a host device into a container.
type Device struct {
	PathOnHost        string `json:"PathOnHost"`
	PathInContainer   string `json:"PathInContainer"`
	CgroupPermissions string `json:"CgroupPermissions"` // "rwm"
}

// PortMapping asks for one container port, or a range, to be published. HostPort 0 means a dynamic one in bridge.
type PortMapping struct {
	ContainerPort  int32  `json:"containerPort,omitempty"`
	HostPort       int32  `json:"hostPort,omitempty"`
	Protocol       string `json:"protocol,omitempty"`           // tcp (default) or udp
	ContainerRange string `json:"containerPortRange,omitempty"` // "8000-8010"
}

// MountPoint mounts a task volume into a container.
type MountPoint struct {
	SourceVolume  string `json:"sourceVolume"`
	ContainerPath string `json:"containerPath"`
	ReadOnly      bool   `json:"readOnly,omitempty"`
}

// VolumeFrom mounts all volumes of another container of the task.
type VolumeFrom struct {
	SourceContainer string `json:"sourceContainer"`
	ReadOnly        bool   `json:"readOnly,omitempty"`
}

// Volume is a task volume. An empty Host means an anonymous volume that lives as long as the task.
type Volume struct {
	Name string      `json:"name"`
	Type string      `json:"type"` // host, docker, efs, files
	Host *HostVolume `json:"host,omitempty"`
	// Docker of type docker, EFS of type efs.
	Docker *DockerVolume `json:"dockerVolumeConfiguration,omitempty"`
	EFS    *EFSVolume    `json:"efsVolumeConfiguration,omitempty"`
	// Files of type files. It is ours: stock agents do not have its drivers.
	Files *FileVolume `json:"roadsteadFiles,omitempty"`
}

// FileVolume is a directory in memory with values that the node gets itself, with the task's execution role, and keeps up to date.
type FileVolume struct {
	Sources []FileSource `json:"sources"`
	Mode    uint32       `json:"mode"` // of the files, as in 0400
	UID     uint32       `json:"uid,omitempty"`
	GID     uint32       `json:"gid,omitempty"`
	Signal  string       `json:"signal,omitempty"`  // that containers with the volume get when a value has changed: "SIGHUP"
	Refresh int64        `json:"refresh,omitempty"` // seconds from one look at the values to the next, 0 = never
}

// FileSource is where the content of a file comes from; without a Name it is a JSON object with a file for each member.
type FileSource struct {
	Name      string `json:"name,omitempty"`
	ValueFrom string `json:"valueFrom"`
	Provider  string `json:"provider"` // ssm, asm, s3; ssm-path: a file for each parameter below a path; sts: a token of the task's role for the audiences in ValueFrom
	Algorithm string `json:"algorithm,omitempty"`
	Duration  int64  `json:"duration,omitempty"` // of a token, seconds
}

// IsFileName says whether a file of a FileVolume can be called so: a plain name, and none that begins as those do with which a
// volume is changed in one step.
func IsFileName(name string) bool {
	return name != "" && name != "." && !strings.HasPrefix(name, "..") && len(name) <= 255 && !strings.ContainsAny(name, "/\x00")
}

// DockerVolume is a volume of one of Docker's drivers; scope is task or shared.
type DockerVolume struct {
	Scope         string            `json:"scope"`
	Autoprovision bool              `json:"autoprovision,omitempty"` // of a shared one: make it if it is not there
	Driver        string            `json:"driver,omitempty"`        // "" means local
	DriverOpts    map[string]string `json:"driverOpts,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
}

// EFSVolume is a directory of a file system of EFS.
type EFSVolume struct {
	FileSystemID      string            `json:"fileSystemId"`
	RootDirectory     string            `json:"rootDirectory,omitempty"`
	TransitEncryption string            `json:"transitEncryption,omitempty"` // ENABLED or DISABLED
	EncryptionPort    int32             `json:"transitEncryptionPort,omitempty"`
	Authorization     *EFSAuthorization `json:"authorizationConfig,omitempty"`
}

// EFSAuthorization says as whom a file system is used.
type EFSAuthorization struct {
	AccessPointID string `json:"accessPointId,omitempty"`
	IAM           string `json:"iam,omitempty"` // ENABLED or DISABLED
}

// HostVolume is a directory of the node.
type HostVolume struct {
	SourcePath string `json:"sourcePath,omitempty"`
}

// Dependency is one dependsOn condition: START, COMPLETE, SUCCESS or HEALTHY.
type Dependency struct {
	ContainerName string `json:"containerName"`
	Condition     string `json:"condition"`
}

// RestartPolicy restarts a container in place (AGENT-PROTOCOL §4.5).
type RestartPolicy struct {
	Enabled          bool    `json:"enabled"`
	IgnoredExitCodes []int32 `json:"ignoredExitCodes,omitempty"`
	AttemptPeriod    int64   `json:"restartAttemptPeriod,omitempty"` // seconds
}

// RegistryAuth says how to authenticate a pull. Type "ecr" means: ask ecr:GetAuthorizationToken; "asm": ask Secrets Manager.
type RegistryAuth struct {
	Type string   `json:"type"` // ecr or asm
	ECR  *ECRAuth `json:"ecrAuthData,omitempty"`
	ASM  *ASMAuth `json:"asmAuthData,omitempty"`
	// Task is the ARN of the task that the image is pulled for, and Role that of its execution role, "" for none: the node notes
	// them itself.
	Task string `json:"-"`
	Role string `json:"-"`
}

// ASMAuth names the secret with the login of a private registry, {"username": ..., "password": ...} (SEMANTICS §13.6).
type ASMAuth struct {
	CredentialsParameter string `json:"credentialsParameter"`
	Region               string `json:"region"`
}

// ECRAuth names the registry of an ECR image.
type ECRAuth struct {
	Region     string `json:"region,omitempty"`
	RegistryID string `json:"registryId,omitempty"`
	// Endpoint is where the stock agent asks for a token, instead of at AWS.
	Endpoint string `json:"endpointOverride,omitempty"`
	// ExecutionRole: with the credentials of the task's execution role; our own agent knows by itself whether there is one.
	ExecutionRole bool `json:"useExecutionRole,omitempty"`
}

// RoleCreds are short-lived credentials of a role for a task.
type RoleCreds struct {
	CredentialsID   string `json:"credentialsId"`
	RoleArn         string `json:"roleArn"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	Expiration      string `json:"expiration"`
}

// ENI is a task's own network interface (awsvpc).
type ENI struct {
	AttachmentArn   string   `json:"attachmentArn"`
	EC2ID           string   `json:"ec2Id"`
	MACAddress      string   `json:"macAddress"`
	Index           int      `json:"index"`
	IPv4            []IPAddr `json:"ipv4Addresses,omitempty"`
	GatewayIPv4     string   `json:"subnetGatewayIpv4Address,omitempty"` // "10.0.0.1/16"
	DomainName      []string `json:"domainName,omitempty"`
	DomainServers   []string `json:"domainNameServers,omitempty"`
	PrivateDNSName  string   `json:"privateDnsName,omitempty"`
	AssociationType string   `json:"interfaceAssociationProtocol,omitempty"`
}

// IPAddr is an address of an ENI.
type IPAddr struct {
	Primary bool   `json:"primary"`
	Address string `json:"privateAddress"`
}
