//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestApart looks at what tasks on one machine see of each other, and take from each other: nothing. It runs alone: its hog would take
// the processors from other tests.
func TestApart(t *testing.T) {
	e := NewPair(t)
	for name, test := range map[string]func(*testing.T, *Env){
		"files, processes, networks and metadata": neighbours,
		"a hog takes its share only":              fairShares,
	} {
		t.Run(name, func(t *testing.T) {
			mine := *e
			mine.t = t
			test(t, &mine)
		})
	}
}

// neighbours: two tasks of two images have the port 80 each, and nothing of the other's files, processes, loopback or metadata (MISSION
// rows 1 to 3).
func neighbours(t *testing.T, e *Env) {
	define := func(name, image, loopback string, verbs ...string) string {
		c := e.container("c", append(verbs, "procs", "print=done", "onterm=bye", "wait")...)
		c.Image = &image
		return e.Define(name, ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c, e.container("side", "serve=127.0.0.1:"+loopback, "onterm=bye", "wait"))
	}
	other := e.BuildImage("other:1")
	one := e.RunTask(define("one", e.Image, "82", "dial=127.0.0.1:82", "write=/of-one,secret", "serve=:80", "env=ECS_CONTAINER_METADATA_URI_V4", "metadata="), inVPC)
	said := e.AwaitLog(one, "done")
	_, rest, _ := strings.Cut(said, "ECS_CONTAINER_METADATA_URI_V4=")
	theirs, _, _ := strings.Cut(rest, "\n")
	if strings.Contains(said, "not answered") {
		t.Logf("the metadata were not there at once:\n%s\n%s", said, e.wires())
	}
	if !strings.Contains(said, "wrote /of-one") || !strings.Contains(said, "200 {") || !strings.HasPrefix(theirs, "http://") {
		t.Fatalf("the first says %s", said)
	}
	two := e.RunTask(define("two", other, "83", "read=/of-one", "serve=:80", "dialed=127.0.0.1:82", "fetch="+theirs, "fetch="+theirs+"/task"), inVPC)
	got := e.AwaitLog(two, "done")
	for _, want := range []string{"not read: /of-one", "not reached 127.0.0.1:82", "404 "} {
		if !strings.Contains(got, want) {
			t.Errorf("the second says no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "200 ") {
		t.Errorf("the second is told of the first:\n%s", got)
	}
	for _, log := range []string{said, got} {
		if strings.Count(log, "process ") != 1 || !strings.Contains(log, "process 1 probe") {
			t.Errorf("it sees other processes than its own:\n%s", log)
		}
	}
	for _, arn := range []string{one, two} {
		task := e.AwaitStatus(arn, "RUNNING")
		AwaitPage(t, "http://"+address(t, &task)+":80/")
	}
	if _, err := os.Stat("/of-one"); err == nil {
		t.Error("what a task wrote is on the machine")
	}
	each([]string{one, two}, 2, e.StopTask)
	e.AwaitAll([]string{one, two}, "STOPPED")
}

// fairShares: a task with as many CPU units as a neighbour has half of what both get, however many threads that has; and one that eats
// its memory up ends alone (MISSION row 9).
func fairShares(t *testing.T, e *Env) {
	define := func(name string, threads int) string {
		c := e.container("c", fmt.Sprint("burn=", threads), "onterm=bye", "wait")
		c.Cpu = 256
		return e.Define(name, ecs.RegisterTaskDefinitionInput{}, c)
	}
	modest := e.RunTask(define("modest", 2))
	e.AwaitStatus(modest, "RUNNING")
	eater := e.RunTask(e.Define("eater", ecs.RegisterTaskDefinitionInput{}, e.container("c", "eat=64", "exit=0")))
	e.ends(eater, types.TaskStopCodeEssentialContainerExited, exited, 137)
	hog := e.RunTask(define("hog", 16))
	e.AwaitStatus(hog, "RUNNING")
	var shares []string
	fair := false
	for range 6 { // the kernel divides each processor by itself: others that are on one of them for a while take from whoever is there
		share := e.shareOf(modest, hog)
		shares = append(shares, fmt.Sprintf("%.0f %%", 100*share))
		if fair = share >= 0.45; fair { // by threads it would be 0.11
			break
		}
	}
	t.Logf("the modest one had %s of what both had", strings.Join(shares, ", "))
	if !fair {
		t.Error("a neighbour with 16 threads never leaves a task with 2 its half of what both get")
	}
	for _, arn := range []string{modest, hog} {
		if task := e.AwaitStatus(arn, "RUNNING"); *task.DesiredStatus != "RUNNING" || aws.ToString(task.Containers[0].LastStatus) != "RUNNING" {
			t.Errorf("a task whose neighbour ate its memory up: %s", story(&task))
		}
	}
	each([]string{modest, hog}, 2, e.StopTask)
	e.AwaitAll([]string{modest, hog}, "STOPPED")
}

// wires is what the kernel knows of the machine's bridges, neighbours and translated connections.
func (e *Env) wires() string {
	out, _ := exec.Command("sh", "-c", "ip -s -d link; ip addr; ip -s neigh; grep 169.254.170.2 /proc/net/nf_conntrack; nft list ruleset").CombinedOutput()
	return string(out)
}

// shareOf is how much the first task gets of the next three seconds of processor time that both get.
func (e *Env) shareOf(one, other string) float64 {
	e.t.Helper()
	before := []time.Duration{e.burnt(one), e.burnt(other)}
	var mine, theirs time.Duration
	poll(e.t, patience, func(context.Context) error { // who else is on the machine makes it last longer
		if mine, theirs = e.burnt(one)-before[0], e.burnt(other)-before[1]; mine+theirs < 3*time.Second {
			return errAgain(fmt.Sprintf("they had %s", mine+theirs))
		}
		return nil
	})
	return float64(mine) / float64(mine+theirs)
}

// burnt is the processor time that a task has had, by the kernel's files.
func (e *Env) burnt(arn string) time.Duration {
	e.t.Helper()
	if b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/cpuacct/roadstead", e.Node, id(arn), "cpuacct.usage")); err == nil {
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		must(e.t, err)
		return time.Duration(n)
	}
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/roadstead", e.Node, id(arn), "cpu.stat"))
	must(e.t, err)
	var us int64
	_, err = fmt.Sscanf(string(b), "usage_usec %d", &us)
	must(e.t, err)
	return time.Duration(us) * time.Microsecond
}
