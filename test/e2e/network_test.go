//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestNetwork reaches tasks in every network mode.
func TestNetwork(t *testing.T) {
	t.Parallel()
	e := NewPair(t)
	for name, test := range map[string]func(*testing.T, *Env){
		"awsvpc: own address, shared localhost": vpcTasks,
		"awsvpc: through a proxy":               throughProxy,
		"bridge: static and dynamic ports":      bridgePorts,
		"bridge: udp":                           bridgeUDP,
		"bridge: a taken port is refused":       takenPort,
		"host":                                  hostMode,
		"none":                                  noneMode,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine := *e
			mine.t = t
			test(t, &mine)
		})
	}
}

// address is the task's own, as DescribeTasks tells it.
func address(t testing.TB, task *types.Task) string {
	t.Helper()
	var all []types.NetworkInterface
	for _, c := range task.Containers {
		all = append(all, c.NetworkInterfaces...)
	}
	if len(all) != len(task.Containers) || aws.ToString(all[0].PrivateIpv4Address) == "" || aws.ToString(all[0].AttachmentId) == "" {
		t.Fatalf("network interfaces are %+v", all)
	}
	detail := ""
	for _, a := range task.Attachments {
		if aws.ToString(a.Id) != *all[0].AttachmentId {
			continue
		}
		for _, d := range a.Details {
			if *d.Name == "privateIPv4Address" {
				detail = *d.Value
			}
		}
	}
	if detail != *all[0].PrivateIpv4Address {
		t.Errorf("the attachment says %q, the interface %s", detail, *all[0].PrivateIpv4Address)
	}
	return *all[0].PrivateIpv4Address
}

// throughProxy runs a task whose connections pass through one of its containers (docs/decisions/039).
func throughProxy(t *testing.T, e *Env) {
	page := e.container("page", "serve=:80", "onterm=bye", "wait")
	page.Environment = mark("page")
	other := e.AwaitStatus(e.RunTask(e.Define("proxy-page", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, page), inVPC), "RUNNING")
	elsewhere := address(t, &other)
	AwaitPage(t, "http://"+elsewhere+":80/")
	property := func(name, value string) types.KeyValuePair { return types.KeyValuePair{Name: &name, Value: &value} }
	app := e.container("app", "serve=:8000", "dial="+elsewhere+":80", "fetch=http://"+elsewhere+":80/", "onterm=bye", "wait")
	app.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("envoy"), Condition: types.ContainerConditionStart}}
	app.Environment = mark("app")
	envoy := e.container("envoy", "proxy=:15000", "proxy=:15001", "print=ready", "onterm=bye", "wait")
	envoy.User = aws.String("1337")
	in := ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc, ProxyConfiguration: &types.ProxyConfiguration{
		Type: types.ProxyConfigurationTypeAppmesh, ContainerName: aws.String("envoy"), Properties: []types.KeyValuePair{
			property("ProxyIngressPort", "15000"), property("ProxyEgressPort", "15001"), property("AppPorts", "8000"), property("IgnoredUID", "1337"),
			property("EgressIgnoredIPs", "169.254.170.2,169.254.169.254"), property("EgressIgnoredPorts", ""),
		}}}
	task := e.RunTask(e.Define("proxied", in, app, envoy), inVPC)
	d := e.AwaitStatus(task, "RUNNING")
	e.AwaitLog(task, "page born")
	e.AwaitLog(task, "at :15001 for "+elsewhere+":80")
	if got := AwaitPage(t, "http://"+address(t, &d)+":8000/"); !strings.HasPrefix(got, "app ") {
		t.Errorf("page is %q", got)
	}
	e.AwaitLog(task, "at :15000 for "+address(t, &d)+":8000")
}

func vpcTasks(t *testing.T, e *Env) {
	server := e.container("server", "serve=:8000", "onterm=bye", "wait")
	server.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8000)}}
	server.Environment = mark("vpc")
	side := e.container("side", "dial=localhost:8000", "onterm=bye", "wait")
	def := e.Define("vpc", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, server, side)
	one, two := e.RunTask(def, inVPC), e.RunTask(def, inVPC)
	a, b := e.AwaitStatus(one, "RUNNING"), e.AwaitStatus(two, "RUNNING")
	ipA, ipB := address(t, &a), address(t, &b)
	t.Logf("tasks at %s and %s", ipA, ipB)
	if ipA == ipB {
		t.Error("two tasks have one address")
	}
	if n := len(a.Containers[0].NetworkBindings); n != 0 {
		t.Errorf("%d network bindings in awsvpc", n)
	}
	e.AwaitLog(one, "reached localhost:8000")
	for _, ip := range []string{ipA, ipB} {
		if got := AwaitPage(t, "http://"+ip+":8000/"); !strings.HasPrefix(got, "vpc ") {
			t.Errorf("page is %q", got)
		}
		if got := AwaitPage(t, "http://"+ip+":8000/addresses"); !strings.Contains(got, ip+"/") {
			t.Errorf("the interface inside has %q, DescribeTasks says %s", got, ip)
		}
	}
	across := "http://" + ipA + ":8000/get?url=" + url.QueryEscape("http://"+ipB+":8000/")
	if got := AwaitPage(t, across); !strings.HasPrefix(got, "vpc ") {
		t.Errorf("from task to task: %q", got)
	}
	for _, arn := range []string{one, two} {
		e.StopTask(arn)
		e.AwaitStatus(arn, "STOPPED")
	}
}

// binding is where a container port is published.
func binding(t testing.TB, task *types.Task, port int32, protocol types.TransportProtocol) types.NetworkBinding {
	t.Helper()
	for _, c := range task.Containers {
		for _, b := range c.NetworkBindings {
			if aws.ToInt32(b.ContainerPort) == port && b.Protocol == protocol {
				if ip, err := netip.ParseAddr(aws.ToString(b.BindIP)); err != nil || !ip.IsUnspecified() {
					t.Errorf("bindIP is %q", aws.ToString(b.BindIP))
				}
				return b
			}
		}
	}
	t.Fatalf("port %d/%s is not bound: %s", port, protocol, story(task))
	return types.NetworkBinding{}
}

func bridgePorts(t *testing.T, e *Env) {
	_, static, err := net.SplitHostPort(freeAddress(t))
	must(t, err)
	var host int32
	_, err = fmt.Sscan(static, &host)
	must(t, err)
	c := e.container("web", "serve=:8001", "dial=localhost:8001", "onterm=bye", "wait")
	c.Environment = mark("bridge")
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8001), HostPort: &host}}
	fixed := e.RunTask(e.Define("static", ecs.RegisterTaskDefinitionInput{}, c))
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8001)}}
	def := e.Define("dynamic", ecs.RegisterTaskDefinitionInput{}, c)
	all := []string{fixed, e.RunTask(def), e.RunTask(def)}
	ports := map[int32]bool{}
	for i, arn := range all {
		task := e.AwaitStatus(arn, "RUNNING")
		b := binding(t, &task, 8001, types.TransportProtocolTcp)
		port := aws.ToInt32(b.HostPort)
		ports[port] = true
		if i == 0 && port != host || i > 0 && port < 32768 {
			t.Errorf("task %d has host port %d", i, port)
		}
		for _, ip := range []string{"127.0.0.1", ownAddress(t)} {
			if got := AwaitPage(t, fmt.Sprintf("http://%s:%d/", ip, port)); !strings.HasPrefix(got, "bridge ") {
				t.Errorf("page is %q", got)
			}
		}
	}
	t.Logf("host ports %v, reached on 127.0.0.1 and %s", ports, ownAddress(t))
	for _, arn := range all {
		e.StopTask(arn)
	}
	e.AwaitStatus(fixed, "STOPPED")
	ctx, cancel := within(time.Second)
	defer cancel()
	if _, err := page(ctx, fmt.Sprintf("http://127.0.0.1:%d/", host)); err == nil {
		t.Error("the port answers after its task has stopped")
	}
	again := e.RunTask("static") // the port is free again at once
	e.AwaitStatus(again, "RUNNING")
	AwaitPage(t, fmt.Sprintf("http://127.0.0.1:%d/", host))
	e.StopTask(again)
	e.AwaitStatus(again, "STOPPED")
}

func bridgeUDP(t *testing.T, e *Env) {
	c := e.container("udp", "echo=:9000", "onterm=bye", "wait")
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(9000), Protocol: types.TransportProtocolUdp}}
	arn := e.RunTask(e.Define("udp", ecs.RegisterTaskDefinitionInput{}, c))
	task := e.AwaitStatus(arn, "RUNNING")
	port := aws.ToInt32(binding(t, &task, 9000, types.TransportProtocolUdp).HostPort)
	for _, ip := range []string{"127.0.0.1", ownAddress(t)} {
		poll(t, 10*time.Second, func(context.Context) error { return echoes(fmt.Sprintf("%s:%d", ip, port)) })
	}
	t.Logf("udp port %d answers on both addresses", port)
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}

func echoes(addr string) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 16)
	_ = c.SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err = c.Write([]byte("hello")); err == nil {
		_, err = c.Read(b)
	}
	if err != nil {
		return errAgain(err.Error())
	}
	return nil
}

// takenPort publishes a static port that a process of the machine listens on: the control plane cannot know, the node does.
func takenPort(t *testing.T, e *Env) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	must(t, err)
	defer l.Close()
	host := int32(l.Addr().(*net.TCPAddr).Port)
	c := e.container("web", "serve=:8002", "wait")
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8002), HostPort: &host}}
	arn := e.RunTask(e.Define("taken", ecs.RegisterTaskDefinitionInput{}, c))
	task := e.AwaitStatus(arn, "STOPPED")
	t.Log(story(&task))
	if task.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.Contains(aws.ToString(task.StoppedReason), "CannotStartContainerError") {
		t.Error("want TaskFailedToStart, CannotStartContainerError")
	}
}

func hostMode(t *testing.T, e *Env) {
	_, port, err := net.SplitHostPort(freeAddress(t))
	must(t, err)
	var n int32
	_, err = fmt.Sscan(port, &n)
	must(t, err)
	c := e.container("web", "serve=:"+port, "onterm=bye", "wait")
	c.Environment = mark("host")
	c.PortMappings = []types.PortMapping{{ContainerPort: &n}}
	arn := e.RunTask(e.Define("host", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeHost}, c))
	task := e.AwaitStatus(arn, "RUNNING")
	if got := AwaitPage(t, "http://127.0.0.1:"+port+"/addresses"); !strings.Contains(got, ownAddress(t)+"/") {
		t.Errorf("addresses inside: %q", got)
	}
	if b := binding(t, &task, n, types.TransportProtocolTcp); aws.ToInt32(b.HostPort) != n {
		t.Errorf("host port %d", aws.ToInt32(b.HostPort))
	}
	e.StopTask(arn)
	e.AwaitStatus(arn, "STOPPED")
}

func noneMode(t *testing.T, e *Env) {
	arn := e.RunTask(e.Define("none", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeNone},
		e.container("c", "serve=:8003", "dialed=127.0.0.1:8003", "dialed="+ownAddress(t)+":80")))
	task := e.AwaitStatus(arn, "STOPPED")
	if got, want := e.Logs(arn), "reached 127.0.0.1:8003\nnot reached "+ownAddress(t)+":80"; got != want {
		t.Errorf("log is %q, want %q; %s", got, want, story(&task))
	}
}
