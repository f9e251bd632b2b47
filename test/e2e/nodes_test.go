//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestNodes runs a cluster of three nodes on this machine.
func TestNodes(t *testing.T) {
	e := NewDev(t, "--nodes", "3", "--cleanup-after", "1ms")
	addresses := e.nodeAddresses()
	if len(addresses) != 3 {
		t.Fatalf("nodes have addresses %v", addresses)
	}
	c := e.container("c", "serve=:8000", "onterm=bye", "tick=20ms")
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(8000)}}
	vpc := e.RunMany(e.Define("vpc", ecs.RegisterTaskDefinitionInput{NetworkMode: types.NetworkModeAwsvpc}, c), 9, 9, inVPC)
	bridge := e.RunMany(e.Define("bridge", ecs.RegisterTaskDefinitionInput{}, c), 9, 9)
	all := append(vpc, bridge...)
	e.AwaitAll(all, "RUNNING")
	pages, on := e.pages(all, addresses)
	t.Logf("tasks by node: %v", on)
	if len(on) != 3 {
		t.Errorf("tasks are on %d of 3 nodes", len(on))
	}
	before := map[string]string{}
	for arn, u := range pages {
		before[arn] = AwaitPage(t, u)
	}
	crossed := 0
	for _, from := range vpc { // from every awsvpc task to every other task, through its own page
		for _, u := range pages {
			AwaitPage(t, pages[from]+"get?url="+url.QueryEscape(u))
			crossed++
		}
	}
	t.Logf("reached from task to task %d times", crossed)

	began := time.Now()
	old := e.nodeAgent("n2")
	must(t, syscall.Kill(old, syscall.SIGKILL))
	poll(t, patience, func(context.Context) error {
		if pid := e.nodeAgent("n2"); pid == 0 || pid == old {
			return errAgain("the agent of n2 is not there again")
		}
		return nil
	})
	e.AwaitNodes(3)
	t.Logf("the killed node's agent was back after %s", ms(time.Since(began)))
	for arn, u := range pages {
		if got := AwaitPage(t, u); got != before[arn] {
			t.Errorf("task %s was %q, is %q", id(arn), before[arn], got)
		}
		e.ticks(arn)
	}
	more := e.RunMany("bridge", 9, 9)
	e.AwaitAll(more, "RUNNING")
	all = append(all, more...)
	each(all, 8, e.StopTask)
	e.AwaitAll(all, "STOPPED")
}

// nodeAddresses maps instance ARNs to where the node's published ports are reached.
func (e *Env) nodeAddresses() map[string]string {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Instances(ctx)
	must(e.t, err)
	out := map[string]string{}
	for _, i := range all {
		for _, a := range i.Attributes {
			if *a.Name == "roadstead.address" {
				out[*i.ContainerInstanceArn] = *a.Value
			}
		}
	}
	return out
}

// pages tells for each task where its page is, and how many are on each node.
func (e *Env) pages(arns []string, nodes map[string]string) (pages map[string]string, on map[string]int) {
	e.t.Helper()
	ctx, cancel := within(patience)
	defer cancel()
	all, err := e.Describe(ctx, arns...)
	must(e.t, err)
	pages, on = map[string]string{}, map[string]int{}
	for i := range all {
		task := &all[i]
		node := nodes[*task.ContainerInstanceArn]
		on[node]++
		if len(task.Attachments) > 0 {
			pages[*task.TaskArn] = "http://" + address(e.t, task) + ":8000/"
			continue
		}
		port := aws.ToInt32(binding(e.t, task, 8000, types.TransportProtocolTcp).HostPort)
		pages[*task.TaskArn] = fmt.Sprintf("http://%s:%d/", node, port)
	}
	return pages, on
}

// nodeAgent finds the agent of a node of `dev --nodes`, 0 if there is none.
func (e *Env) nodeAgent(name string) int {
	for pid, args := range processes() {
		line := strings.Join(args, " ")
		if strings.Contains(line, " agent ") && strings.Contains(line, "--name "+name+" ") && strings.Contains(line, e.Dir+"/") {
			return pid
		}
	}
	return 0
}
