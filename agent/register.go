package agent

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/runtime"
	"github.com/roadstead/roadstead/model"
)

// identity is who the node is to the control plane. It is kept on disk, so that the instance survives restarts.
type identity struct {
	Arn     string `json:"arn,omitempty"` // "" before the first registration succeeded
	Cluster string `json:"cluster"`
	Token   string `json:"token"` // clientToken of the first registration
}

func identityFile(dir string) string { return filepath.Join(dir, "instance.json") }

func removeIdentity(dir string) error {
	err := os.Remove(identityFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (a *Agent) loadIdentity() (identity, error) {
	id := identity{Cluster: a.cfg.Cluster, Token: uuid.NewString()}
	b, err := os.ReadFile(identityFile(a.cfg.DataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return id, a.saveIdentity(id)
	}
	if err != nil {
		return id, err
	}
	var saved identity
	if err := json.Unmarshal(b, &saved); err != nil {
		return id, fmt.Errorf("read %s: %w", identityFile(a.cfg.DataDir), err)
	}
	if saved.Cluster != a.cfg.Cluster { // moved to another cluster: a new instance there
		return id, a.saveIdentity(id)
	}
	return saved, nil
}

func (a *Agent) saveIdentity(id identity) error {
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return writeWhole(identityFile(a.cfg.DataDir), b)
}

// writeWhole writes a file whole or not at all.
func writeWhole(path string, b []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil // so that a node on a full disk starts again
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, path)
}

// register announces the node, as the instance that it was before if there was one.
func (a *Agent) register(ctx context.Context) (identity, error) {
	id, err := a.loadIdentity()
	if err != nil {
		return id, err
	}
	in := acs.RegisterContainerInstanceRequest{
		Cluster: a.cfg.Cluster, ClientToken: id.Token, ContainerInstanceArn: id.Arn,
		Attributes: a.attributes(), TotalResources: a.resources(),
		VersionInfo: &acs.VersionInfo{AgentVersion: Version, AgentHash: model.OwnAgent},
	}
	var out acs.RegisterContainerInstanceResponse
	if err := a.client.Call(ctx, "ecs", "RegisterContainerInstance", in, &out); err != nil {
		if id.Arn != "" && forgotten(err) { // the next try makes a new instance
			return id, errors.Join(err, removeIdentity(a.cfg.DataDir))
		}
		return id, err
	}
	id.Arn = out.ContainerInstance.ContainerInstanceArn
	a.instance.Store(&id.Arn)
	return id, a.saveIdentity(id)
}

// forgotten reports whether the control plane will never again take the node for the instance that it was. A server fault
// or a refused key says nothing of the instance, whose tasks may be running here.
func forgotten(err error) bool {
	switch model.ErrorCode(err) {
	case "InvalidParameterException", "ClientException", "ClusterNotFoundException":
		return true
	}
	return false
}

// capabilities are what this agent can do, in ECS's names (SEMANTICS §5.1): no more than it really does.
func capabilities() []string {
	names := []string{
		"com.amazonaws.ecs.capability.task-iam-role", "com.amazonaws.ecs.capability.task-iam-role-network-host",
		"com.amazonaws.ecs.capability.privileged-container", "com.amazonaws.ecs.capability.ecr-auth",
		"com.amazonaws.ecs.capability.logging-driver.json-file", "com.amazonaws.ecs.capability.logging-driver.none",
		"com.amazonaws.ecs.capability.logging-driver.syslog", "com.amazonaws.ecs.capability.logging-driver.journald",
		"com.amazonaws.ecs.capability.logging-driver.gelf", "com.amazonaws.ecs.capability.logging-driver.fluentd",
		"com.amazonaws.ecs.capability.logging-driver.splunk", "com.amazonaws.ecs.capability.logging-driver.awsfirelens",
		"ecs.capability.firelens.fluentd", "ecs.capability.firelens.fluentbit", "ecs.capability.firelens.options.config.s3",
		"ecs.capability.firelens.options.config.file",
		"com.amazonaws.ecs.capability.logging-driver.awslogs", "ecs.capability.execution-role-awslogs",
		"ecs.capability.private-registry-authentication.secretsmanager",
		"ecs.capability.secrets.ssm.environment-variables", "ecs.capability.secrets.asm.environment-variables", "ecs.capability.env-files.s3",
		"ecs.capability.docker-plugin.roadstead-secret", "ecs.capability.docker-plugin.roadstead-config", "ecs.capability.docker-plugin.roadstead-web-identity",
		"ecs.capability.secrets.ssm.bootstrap.log-driver", "ecs.capability.secrets.asm.bootstrap.log-driver",
		"ecs.capability.task-eni", "ecs.capability.execution-role-ecr-pull", "ecs.capability.container-ordering",
		"ecs.capability.container-health-check", "ecs.capability.container-restart-policy", "ecs.capability.pid-ipc-namespace-sharing", "ecs.capability.fault-injection", "ecs.capability.aws-appmesh",
		"ecs.capability.task-cpu-mem-limit", "ecs.capability.full-sync", "ecs.capability.increased-task-cpu-limit",
	}
	for minor := 17; minor <= 44; minor++ {
		names = append(names, "com.amazonaws.ecs.capability.docker-remote-api.1."+strconv.Itoa(minor))
	}
	return names
}

func (a *Agent) attributes() []acs.Attribute {
	arch := map[string]string{"amd64": "x86_64"}[goruntime.GOARCH]
	if arch == "" {
		arch = goruntime.GOARCH
	}
	values := map[string]string{
		"ecs.os-type": "linux", "ecs.os-family": "LINUX", "ecs.cpu-architecture": arch,
		"ecs.availability-zone": a.cfg.Zone, "roadstead.node": a.cfg.Name, model.SubnetAttribute: eniSubnet(a.cfg.Subnet),
		"roadstead.address": cmp.Or(a.cfg.Address, addressTowards(a.client.Endpoint())), model.PoolAttribute: a.cfg.Pool,
	}
	maps.Copy(values, a.cfg.Attributes)
	var out []acs.Attribute
	for k, v := range values {
		if v != "" {
			out = append(out, acs.Attribute{Name: k, Value: &v})
		}
	}
	names := capabilities()
	if len(a.cfg.EFS) > 0 {
		names = append(names, "ecs.capability.efs", "ecs.capability.efsAuth")
	}
	if runtime.AppArmor() {
		names = append(names, "com.amazonaws.ecs.capability.apparmor")
	}
	if a.cfg.Fargate || a.cfg.Pool == model.FargatePool {
		names = append(names, model.FargateAttribute)
	}
	for _, name := range names {
		out = append(out, acs.Attribute{Name: name})
	}
	slices.SortFunc(out, func(a, b acs.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// addressTowards is the node's own address on the route to the server, "" if there is no route.
func addressTowards(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	conn, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))) // sends nothing
	if err != nil {
		return ""
	}
	defer conn.Close()
	host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
	return host
}

// reservedPorts are the host ports that ECS keeps back on every instance (SEMANTICS §4.3).
func reservedPorts() []string { return []string{"22", "2375", "2376", "51678", "51679", "51680"} }

// memoryReserve is what stays for the system, in MiB, when the configuration says nothing.
const memoryReserve = 256

func (a *Agent) resources() []acs.TotalResource {
	cpu, memory := a.cfg.CPU, a.cfg.Memory
	if cpu == 0 {
		cpu = int64(goruntime.NumCPU()) * 1024 / max(a.cfg.Share, 1)
	}
	if memory == 0 {
		memory = max((totalMemory()-memoryReserve)/max(a.cfg.Share, 1), 128)
	}
	out := []acs.TotalResource{
		{Name: "CPU", Type: "INTEGER", IntegerValue: cpu},
		{Name: "MEMORY", Type: "INTEGER", IntegerValue: memory},
		{Name: "PORTS", Type: "STRINGSET", StringSetValue: reservedPorts()},
		{Name: "PORTS_UDP", Type: "STRINGSET", StringSetValue: []string{}},
	}
	if len(a.gpus) > 0 {
		out = append(out, acs.TotalResource{Name: "GPU", Type: "STRINGSET", StringSetValue: slices.Sorted(maps.Keys(a.gpus))})
	}
	return out
}

// totalMemory is the machine's memory in MiB, 1024 if it cannot be read.
func totalMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 1024
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "MemTotal:"); ok {
			if kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64); err == nil {
				return kb / 1024
			}
		}
	}
	return 1024
}
