package agent

import (
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
)

func attribute(as []acs.Attribute, name string) string {
	for _, a := range as {
		if a.Name == name {
			if a.Value == nil {
				return "present"
			}
			return "=" + *a.Value
		}
	}
	return "absent"
}

func TestAttributes(t *testing.T) {
	a := newPlane(t, nil).node(t, Config{Name: "n1", Zone: "z1", Subnet: "10.9.0.0/16",
		Attributes: map[string]string{"stack": "prod", "ecs.os-family": "MINE", "empty": ""}})
	got := a.attributes()
	arch := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[goruntime.GOARCH]
	for name, value := range map[string]string{
		"ecs.os-type": "=linux", "ecs.cpu-architecture": "=" + arch, "ecs.availability-zone": "=z1", "roadstead.node": "=n1",
		model.SubnetAttribute: "=10.9.128.0/17", "roadstead.address": "=127.0.0.1",
		"stack": "=prod", "ecs.os-family": "=MINE", "empty": "absent", // the operator's win; a value is never empty
		"ecs.capability.task-eni": "present", "com.amazonaws.ecs.capability.docker-remote-api.1.44": "present",
		"com.amazonaws.ecs.capability.logging-driver.json-file": "present", "com.amazonaws.ecs.capability.logging-driver.gcplogs": "absent",
		"com.amazonaws.ecs.capability.logging-driver.awslogs": "present", "ecs.capability.execution-role-awslogs": "present",
	} {
		want(t, name, attribute(got, name), value)
	}
	if !slices.IsSortedFunc(got, func(a, b acs.Attribute) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("attributes are not in order")
	}
	if len(slices.CompactFunc(slices.Clone(got), func(a, b acs.Attribute) bool { return a.Name == b.Name })) != len(got) {
		t.Error("an attribute comes twice")
	}
	want(t, "pool, if it has none", attribute(got, model.PoolAttribute)+" "+attribute(got, model.FargateAttribute), "absent absent")
	want(t, "EFS, if it has none", attribute(got, "ecs.capability.efs"), "absent")
	a.cfg.EFS = []string{"/srv"}
	want(t, "EFS", attribute(a.attributes(), "ecs.capability.efs")+" "+attribute(a.attributes(), "ecs.capability.efsAuth"), "present present")
	a.cfg.Pool, a.cfg.Fargate = "web", true
	want(t, "pool", attribute(a.attributes(), model.PoolAttribute)+" "+attribute(a.attributes(), model.FargateAttribute), "=web present")
	a.cfg.Pool, a.cfg.Fargate = model.FargatePool, false
	want(t, "the pool fargate implies the attribute", attribute(a.attributes(), model.FargateAttribute), "present")
	a.cfg.Zone, a.cfg.Address = "", "10.1.2.3"
	want(t, "zone, if it has none", attribute(a.attributes(), "ecs.availability-zone"), "absent")
	want(t, "address, if it is given", attribute(a.attributes(), "roadstead.address"), "=10.1.2.3")
}

func TestResources(t *testing.T) {
	machine := int64(goruntime.NumCPU()) * 1024
	for _, c := range []struct {
		name        string
		cfg         Config
		cpu, memory int64
	}{
		{"all that there is", Config{}, machine, max(totalMemory()-memoryReserve, 128)},
		{"a share of it", Config{Share: 2}, machine / 2, max((totalMemory()-memoryReserve)/2, 128)},
		{"as much as is given", Config{CPU: 100, Memory: 200, Share: 2}, 100, 200},
		{"a share that is too small", Config{Share: 1 << 40}, 0, 128},
	} {
		got := (&Agent{cfg: c.cfg}).resources()
		want(t, c.name+": CPU", got[0].IntegerValue, c.cpu)
		want(t, c.name+": memory", got[1].IntegerValue, c.memory)
		want(t, "reserved ports [run]", strings.Join(got[2].StringSetValue, " "), "22 2375 2376 51678 51679 51680")
	}
}

func TestGPUsAreOffered(t *testing.T) {
	got := (&Agent{gpus: map[string][]string{"g1": nil, "g0": nil}}).resources()
	want(t, "GPUs", got[4].Name+" "+strings.Join(got[4].StringSetValue, " "), "GPU g0 g1")
	want(t, "resources without any", len((&Agent{}).resources()), 4)
}

func TestSubnets(t *testing.T) {
	for subnet, upper := range map[string]string{
		"10.88.0.0/16":   "10.88.128.0/17",
		"10.88.3.7/16":   "10.88.128.0/17",
		"10.0.0.0/8":     "10.128.0.0/9",
		"10.88.0.0/24":   "10.88.0.128/25",
		"192.168.1.0/28": "192.168.1.8/29",
	} {
		want(t, subnet, eniSubnet(subnet), upper)
		a := &Agent{cfg: Config{Subnet: subnet, Name: "n", DataDir: "/d"}}
		if c, err := a.networkConfig(); err != nil || c.Bridge != "rs-n" || c.Subnet != c.Subnet.Masked() {
			t.Errorf("%s: %+v, %v", subnet, c, err)
		}
	}
	for _, subnet := range []string{"", "10.88.0.0", "10.88.0.0/29", "fd00::/64", "nonsense/16"} {
		if _, err := (&Agent{cfg: Config{Subnet: subnet}}).networkConfig(); err == nil {
			t.Errorf("subnet %q is taken", subnet)
		}
	}
}

func TestIdentityIsKept(t *testing.T) {
	a := &Agent{cfg: Config{Cluster: "c", DataDir: t.TempDir()}}
	load := func() identity {
		t.Helper()
		id, err := a.loadIdentity()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := load()
	if first.Token == "" || first.Arn != "" || first.Cluster != "c" {
		t.Fatalf("at first: %+v", first)
	}
	want(t, "before the first answer the token is kept", load(), first)
	first.Arn = "arn"
	if err := a.saveIdentity(first); err != nil {
		t.Fatal(err)
	}
	want(t, "after a restart", load(), first)
	if info, err := os.Stat(identityFile(a.cfg.DataDir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}

	a.cfg.Cluster = "other"
	moved := load()
	if moved.Arn != "" || moved.Token == first.Token || moved.Cluster != "other" {
		t.Errorf("moved to another cluster: %+v", moved)
	}
	for range 2 { // also when there is none
		if err := removeIdentity(a.cfg.DataDir); err != nil {
			t.Error(err)
		}
	}
	if again := load(); again.Token == moved.Token {
		t.Errorf("after its removal: %+v", again)
	}
	if err := os.WriteFile(identityFile(a.cfg.DataDir), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.loadIdentity(); err == nil {
		t.Error("a broken file is taken for an identity")
	}
}

func TestRegister(t *testing.T) {
	const registered = `{"containerInstance":{"containerInstanceArn":"arn:1"}}`
	p := newPlane(t, map[string]answer{"RegisterContainerInstance": {body: registered}})
	a := p.node(t, Config{Cluster: "c", Subnet: "10.88.0.0/16"})
	id, err := a.register(t.Context())
	if err != nil || id.Arn != "arn:1" {
		t.Fatalf("got %+v, %v", id, err)
	}
	asked, _ := p.last()
	for _, part := range []string{`"cluster":"c"`, `"clientToken":"` + id.Token + `"`, `"name":"ecs.os-type","value":"linux"`, `"name":"CPU"`} {
		if !strings.Contains(asked, part) {
			t.Errorf("the call lacks %s: %s", part, asked)
		}
	}
	if strings.Contains(asked, "containerInstanceArn") {
		t.Errorf("a new node says that it was one: %s", asked)
	}
	if again, err := a.register(t.Context()); err != nil || again != id {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	if asked, _ := p.last(); !strings.Contains(asked, `"containerInstanceArn":"arn:1"`) {
		t.Errorf("the second time it does not say who it was: %s", asked)
	}
}

// Only an answer about the instance itself makes the node forget who it is: its tasks may be running.
func TestRegisterRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer answer
		keeps  bool
	}{
		{"unknown instance", answer{400, `{"__type":"InvalidParameterException","message":"Referenced container instance arn:1 not found."}`}, false},
		{"another kind of machine", answer{400, `{"__type":"ClientException","message":"Container instance type changes are not supported."}`}, false},
		{"no such cluster", answer{400, `{"__type":"ClusterNotFoundException","message":"Cluster not found."}`}, false},
		{"no leader", answer{503, `{"__type":"ServerException","message":"Service Unavailable. Please try again later."}`}, true},
		{"a proxy's page", answer{502, `<html>`}, true},
		{"wrong key", answer{400, `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`}, true},
		{"throttled", answer{400, `{"__type":"ThrottlingException"}`}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlane(t, map[string]answer{"RegisterContainerInstance": {body: `{"containerInstance":{"containerInstanceArn":"arn:1"}}`}})
			a := p.node(t, Config{Cluster: "c"})
			before, err := a.register(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p.answer("RegisterContainerInstance", c.answer)
			if _, err := a.register(t.Context()); err == nil {
				t.Fatal("a refusal is no error")
			}
			after, err := a.loadIdentity()
			if err != nil || (after == before) != c.keeps {
				t.Errorf("before %+v, after %+v, %v; want it kept: %v", before, after, err, c.keeps)
			}
		})
	}
}
