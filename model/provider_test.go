package model_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// TestProviderKinds: the pool of a provider, the launch type of its tasks (SEMANTICS §4.1), and whether they wait for room (§6.7).
func TestProviderKinds(t *testing.T) {
	group := func(ref string, status types.ManagedScalingStatus) model.CapacityProvider {
		return model.CapacityProvider{Name: "p", Group: &types.AutoScalingGroupProvider{AutoScalingGroupArn: &ref,
			ManagedScaling: &types.ManagedScaling{Status: status}}}
	}
	for _, c := range []struct {
		name   string
		p      model.CapacityProvider
		pool   string
		launch types.LaunchType
		scales bool
	}{
		{"group by ARN [D]", group("arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:a1b2:autoScalingGroupName/web-asg", "ENABLED"), "web-asg", "EC2", true},
		{"group by name [D]", group("web-asg", "DISABLED"), "web-asg", "EC2", false},
		{"managed instances [I]", model.CapacityProvider{Name: "mi", Managed: &types.ManagedInstancesProvider{}}, "mi", "MANAGED_INSTANCES", true},
		{"FARGATE [D]", model.CapacityProvider{Name: model.ProviderFargate}, "", "FARGATE", false},
	} {
		if c.p.Pool() != c.pool || c.p.LaunchType() != c.launch || c.p.Scales() != c.scales {
			t.Errorf("%s: pool %q, %s, scales %v", c.name, c.p.Pool(), c.p.LaunchType(), c.p.Scales())
		}
	}
}

// TestSettle: what a task gets with its place (SEMANTICS §4.6, §11.1, §13.1).
func TestSettle(t *testing.T) {
	i := &model.Instance{Cluster: "home", ID: "i1", Attributes: []model.Attribute{{Name: "ecs.availability-zone", Value: "a", HasValue: true}}}
	waits := model.Task{Launch: &model.Launch{Cluster: "home"}, ID: "t", Last: model.TaskProvisioning}
	if !waits.Waiting() {
		t.Error("a task without an instance does not wait")
	}
	got := waits.Settle(i, []string{"g1"}, "", "")
	if got.Waiting() || got.Instance != "i1" || got.InstanceCluster != "" || got.Zone != "a" || got.Last != model.TaskPending || got.Reserved.GPUs[0] != "g1" {
		t.Errorf("bridge: %+v", got)
	}
	far := waits
	far.Cluster, far.Scope = "far", model.Scope{Account: "000000000000", Region: "us-east-1"}
	far.Attachments = []model.Attachment{{ID: "01234567-89ab-cdef-0123-456789abcdef", Status: "PRECREATED"}}
	got = far.Settle(i, nil, "10.0.0.7", "subnet-1")
	if got.InstanceKey() != model.InstanceKey(far.Scope, "home", "i1") || got.Last != model.TaskProvisioning {
		t.Errorf("FARGATE on a node of another cluster: %s %s", got.InstanceKey(), got.Last)
	}
	details := map[string]string{}
	for _, d := range got.Attachments[0].Details {
		details[d.Key] = d.Value
	}
	for name, want := range map[string]string{"subnetId": "subnet-1", "privateIPv4Address": "10.0.0.7", "macAddress": "0a:58:0a:00:00:07",
		"networkInterfaceId": "eni-0123456789abcdef0", "privateDnsName": "ip-10-0-0-7.us-east-1.compute.internal"} {
		if details[name] != want {
			t.Errorf("%s is %q, want %q", name, details[name], want)
		}
	}
	if got.Reserved.Addresses[0] != "10.0.0.7" || len(far.Attachments[0].Details) != 0 {
		t.Errorf("reserved %v, and the task before has %v", got.Reserved.Addresses, far.Attachments[0].Details)
	}
	stopped, changed := waits.Stop(model.StopUserInitiated, "enough", 5)
	if !changed || stopped.Last != model.TaskStopped || stopped.StopCode != model.StopUserInitiated || stopped.StopReason != "enough" || stopped.Waiting() {
		t.Errorf("a waiting task that is stopped: %+v", stopped)
	}
}
