package ecs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

func TestRegisterContainerInstance(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	node := s.client("node", region)
	in := &sdk.RegisterContainerInstanceInput{
		Attributes: s.attributes("a"), TotalResources: resources(2048, 4096), Tags: []types.Tag{{Key: aws.String("k")}},
		InstanceIdentityDocument: aws.String(`{"instanceId":"i-0123","instanceType":"m5.large","availabilityZone":"ignored: registered already"}`),
		PlatformDevices:          []types.PlatformDevice{{Id: aws.String("gpu-0"), Type: "GPU"}},
		VersionInfo:              &types.VersionInfo{AgentVersion: aws.String("1.0")},
	}
	i := must(node.RegisterContainerInstance(ctx, in))(t).ContainerInstance
	same(t, "new [D]", words(*i.Status, i.Version, *i.Ec2InstanceId, i.AgentConnected, *i.VersionInfo.AgentVersion, len(i.Tags)), "ACTIVE 1 i-0123 false 1.0 1")
	same(t, "the first registration makes the default cluster [D]", len(must(s.ListClusters(ctx, &sdk.ListClustersInput{}))(t).ClusterArns), 1)
	for n, want := range in.Attributes {
		got := i.Attributes[n]
		same(t, "attributes are echoed [D]", words(*got.Name, got.Value != nil, aws.ToString(got.Value)), words(*want.Name, want.Value != nil, aws.ToString(want.Value)))
	}
	same(t, "resources [D]", show(i.RegisteredResources), "CPU=2048 MEMORY=4096 PORTS=[22 2375 2376 51678 51679] PORTS_UDP=[] GPU=[gpu-0]")

	s.clock.Add(5000)
	s.changeInstance(*i.ContainerInstanceArn, func(i *model.Instance) {
		i.Attributes = append(i.Attributes, model.Attribute{Name: "stack", Value: "blue", HasValue: true})
		i.AgentConnected = true
	})
	s.changeInstance(*i.ContainerInstanceArn, func(i *model.Instance) {
		same(t, "whose node it is [I]", i.NodeKey, "node")
	})
	in.ContainerInstanceArn, in.TotalResources, in.Tags = i.ContainerInstanceArn, resources(1024, 1000), nil
	again := must(node.RegisterContainerInstance(ctx, in))(t).ContainerInstance
	same(t, "re-registration keeps identity [D]", words(*again.ContainerInstanceArn == *i.ContainerInstanceArn, again.Version, again.RegisteredAt.Equal(*i.RegisteredAt), len(again.Tags), again.AgentConnected), "true 2 true 1 true")
	same(t, "resources are refreshed [D]", show(again.RegisteredResources[:2]), "CPU=1024 MEMORY=1000")
	same(t, "attributes of the user stay [I]", *again.Attributes[len(again.Attributes)-1].Name, "stack")

	in.InstanceIdentityDocument, in.Attributes = nil, s.attributes("")[1:] // without the zone
	again = must(node.RegisterContainerInstance(ctx, in))(t).ContainerInstance
	var kept []string
	for _, a := range again.Attributes {
		if slices.Contains([]string{"ecs.instance-type", "ecs.availability-zone", "stack"}, *a.Name) {
			kept = append(kept, *a.Name+"="+aws.ToString(a.Value))
		}
	}
	same(t, "what the machine is stays without its document [I]", words(*again.Ec2InstanceId, kept), "i-0123 [ecs.availability-zone=us-east-1a ecs.instance-type=m5.large stack=blue]")
}

// show prints resources.
func show(rs []types.Resource) string {
	var out []string
	for _, r := range rs {
		if *r.Type == "STRINGSET" {
			out = append(out, fmt.Sprintf("%s=%v", *r.Name, r.StringSetValue))
		} else {
			out = append(out, fmt.Sprintf("%s=%d", *r.Name, r.IntegerValue))
		}
	}
	return strings.Join(out, " ")
}

func TestRegisterClientToken(t *testing.T) {
	s := newServer(t)
	arn := func(body string) any {
		return s.rawOK("RegisterContainerInstance", body)["containerInstance"].(map[string]any)["containerInstanceArn"]
	}
	first := arn(`{"clientToken":"t","totalResources":[]}`)
	same(t, "the same token is the same instance [D]", arn(`{"clientToken":"t","totalResources":[]}`), first)
	if arn(`{"clientToken":"u"}`) == first || arn(`{}`) == first {
		t.Error("another token is another instance")
	}
}

func TestRegisterRefusals(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i, gone := s.instance("default", "a"), s.instance("default", "a")
	s.changeInstance(gone, inactive)
	s.cluster("old")
	must(s.DeleteCluster(ctx, &sdk.DeleteClusterInput{Cluster: aws.String("old")}))(t)
	register := func(in *sdk.RegisterContainerInstanceInput) func() error {
		return func() error { return fails(s.RegisterContainerInstance(ctx, in)) }
	}
	other := strings.Replace(i, "/default/", "/elsewhere/", 1)
	s.refuses(t, []refused{
		{"unknown cluster [O]", "ClusterNotFoundException", "Cluster not found.", register(&sdk.RegisterContainerInstanceInput{Cluster: aws.String("x")})},
		{"inactive cluster [O]", "ClusterNotFoundException", "The referenced cluster was inactive.", register(&sdk.RegisterContainerInstanceInput{Cluster: aws.String("old")})},
		{"unknown ARN [O]", "InvalidParameterException", "Referenced container instance " + instanceARN + "default/" + nobody + " not found.",
			register(&sdk.RegisterContainerInstanceInput{ContainerInstanceArn: aws.String(instanceARN + "default/" + nobody)})},
		{"ARN of a deregistered one [I]", "InvalidParameterException", "Referenced container instance " + gone + " not found.", register(&sdk.RegisterContainerInstanceInput{ContainerInstanceArn: &gone})},
		{"ARN of another cluster [O]", "InvalidParameterException", "Identifier is for cluster elsewhere. Your cluster is default", register(&sdk.RegisterContainerInstanceInput{ContainerInstanceArn: &other})},
		{"another kind of machine [O]", "ClientException", "Container instance type changes are not supported. Container instance " + i + " was previously registered as x86_64.",
			register(&sdk.RegisterContainerInstanceInput{ContainerInstanceArn: &i, Attributes: []types.Attribute{{Name: aws.String("ecs.cpu-architecture"), Value: aws.String("arm64")}}})},
		{"a port that is none [I]", "InvalidParameterException", "Invalid port 'x'.", register(&sdk.RegisterContainerInstanceInput{
			TotalResources: []types.Resource{{Name: aws.String("PORTS"), Type: aws.String("STRINGSET"), StringSetValue: []string{"x"}}}})},
		{"a document that is none [I]", "InvalidParameterException", "The instance identity document is not valid JSON.", register(&sdk.RegisterContainerInstanceInput{InstanceIdentityDocument: aws.String("x")})},
	})
}

func TestDescribeContainerInstances(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.cluster("other")
	s.define("web", hostPort(8080), func(in *sdk.RegisterTaskDefinitionInput) {
		in.ContainerDefinitions[0].PortMappings = append(in.ContainerDefinitions[0].PortMappings,
			types.PortMapping{ContainerPort: aws.Int32(53), HostPort: aws.Int32(53), Protocol: "udp"})
	})
	s.define("small")
	running := *s.run("web", 1).Tasks[0].TaskArn
	s.run("small", 1)
	s.report(running, "RUNNING", nil)
	out := must(s.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{ContainerInstances: []string{i, nobody}, Include: []types.ContainerInstanceField{"CONTAINER_INSTANCE_HEALTH"}}))(t)
	got := out.ContainerInstances[0]
	same(t, "remaining [D]", show(got.RemainingResources), "CPU=1536 MEMORY=3072 PORTS=[22 2375 2376 8080 51678 51679] PORTS_UDP=[53]")
	same(t, "registered [D]", show(got.RegisteredResources), "CPU=2048 MEMORY=4096 PORTS=[22 2375 2376 51678 51679] PORTS_UDP=[]")
	same(t, "counts [D]", words(got.RunningTasksCount, got.PendingTasksCount, got.AgentConnected, got.HealthStatus.OverallStatus), "1 1 true INITIALIZING")
	same(t, "MISSING [D]", reasons(out.Failures), []string{instanceARN + "default/" + nobody + ": MISSING"})
	describe := func(cluster string, refs ...string) func() error {
		return func() error {
			return fails(s.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{Cluster: &cluster, ContainerInstances: append([]string{}, refs...)}))
		}
	}
	s.refuses(t, []refused{
		{"nothing [O]", "InvalidParameterException", "Container instances cannot be empty.", describe("default")},
		{"101 [D]", "InvalidParameterException", "Container instances cannot have more than 100 elements.", describe("default", make([]string, 101)...)},
		{"of another cluster [O]", "InvalidParameterException", "Identifier is for cluster default. Your cluster is other", describe("other", i)},
	})
}

func TestListContainerInstances(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b, gone := s.instance("default", "a"), s.instance("default", "b"), s.instance("default", "a")
	s.changeInstance(gone, inactive)
	up := must(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{b, nobody, gone}, Status: "DRAINING"}))(t)
	same(t, "drained", words(*up.ContainerInstances[0].Status, up.ContainerInstances[0].Version), "DRAINING 2")
	same(t, "failures", reasons(up.Failures), []string{instanceARN + "default/" + nobody + ": MISSING", gone + ": INACTIVE"})
	list := func(status types.ContainerInstanceStatus) []string {
		return must(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Status: status}))(t).ContainerInstanceArns
	}
	same(t, "all but INACTIVE [D]", list(""), []string{a, b})
	same(t, "ACTIVE", list("ACTIVE"), []string{a})
	same(t, "DRAINING", list("DRAINING"), []string{b})
	page := must(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{MaxResults: aws.Int32(1)}))(t)
	page = must(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{MaxResults: aws.Int32(1), NextToken: page.NextToken}))(t)
	same(t, "second page", words(page.ContainerInstanceArns, page.NextToken == nil), words([]string{b}, true))
	back := must(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{b}, Status: "ACTIVE"}))(t)
	same(t, "back to ACTIVE [D]", *back.ContainerInstances[0].Status, "ACTIVE")
	s.refuses(t, []refused{
		{"status [I]", "InvalidParameterException", "Invalid container instance status 'INACTIVE'…", func() error {
			return fails(s.ListContainerInstances(ctx, &sdk.ListContainerInstancesInput{Status: "INACTIVE"}))
		}},
		{"state [O]", "InvalidParameterException", "Container instance status should be one of [ACTIVE, DRAINING]", func() error {
			return fails(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{a}, Status: "INACTIVE"}))
		}},
		{"11 states [D]", "InvalidParameterException", "Container instances cannot have more than 10 elements.", func() error {
			return fails(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: make([]string, 11), Status: "ACTIVE"}))
		}},
		{"no states [O]", "InvalidParameterException", "Container instances cannot be empty.", func() error {
			return fails(s.UpdateContainerInstancesState(ctx, &sdk.UpdateContainerInstancesStateInput{ContainerInstances: []string{}, Status: "ACTIVE"}))
		}},
	})
}

func TestDeregisterContainerInstance(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	s.define("web")
	task := *s.run("web", 1).Tasks[0].TaskArn
	s.report(task, "RUNNING", nil)
	s.refuses(t, []refused{
		{"with tasks [O]", "InvalidParameterException", "Found running tasks on the instance.", func() error {
			return fails(s.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{ContainerInstance: &i}))
		}},
		{"unknown [O]", "InvalidParameterException", "Referenced container instance " + nobody + " not found.", func() error {
			return fails(s.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{ContainerInstance: aws.String(nobody)}))
		}},
	})
	out := must(s.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{ContainerInstance: &i, Force: aws.Bool(true)}))(t)
	same(t, "by force [D]", words(*out.ContainerInstance.Status, out.ContainerInstance.AgentConnected, out.ContainerInstance.RunningTasksCount), "INACTIVE false 0")
	lost := s.describe(task)
	same(t, "its tasks are lost [O]", words(*lost.LastStatus, *lost.StoppedReason), "STOPPED Host EC2 (instance "+*out.ContainerInstance.Ec2InstanceId+") terminated.")
	again := must(s.DeregisterContainerInstance(ctx, &sdk.DeregisterContainerInstanceInput{ContainerInstance: &i}))(t)
	same(t, "twice is once [I]", again.ContainerInstance.Version, out.ContainerInstance.Version)
	same(t, "still described", len(must(s.DescribeContainerInstances(ctx, &sdk.DescribeContainerInstancesInput{ContainerInstances: []string{i}}))(t).ContainerInstances), 1)
}

func TestUpdateContainerAgent(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	i := s.instance("default", "a")
	update := func() error {
		return fails(s.UpdateContainerAgent(ctx, &sdk.UpdateContainerAgentInput{ContainerInstance: &i}))
	}
	refusal(t, update(), "NoUpdateAvailableException", "There is no update available for this Amazon ECS container agent.")
	s.changeInstance(i, func(i *model.Instance) { i.AgentVersion = "" })
	refusal(t, update(), "MissingVersionException", "Amazon ECS is unable to determine…")
}

func TestAttributes(t *testing.T) {
	s, ctx := newServer(t), t.Context()
	a, b := s.instance("default", "a"), s.instance("default", "b")
	attr := func(target, name, v string) types.Attribute {
		out := types.Attribute{Name: &name, TargetId: &target, TargetType: "container-instance"}
		if v != "" {
			out.Value = &v
		}
		return out
	}
	put := func(as ...types.Attribute) error {
		return fails(s.PutAttributes(ctx, &sdk.PutAttributesInput{Attributes: append([]types.Attribute{}, as...)}))
	}
	list := func(name, v *string) []string {
		out := []string{}
		in := &sdk.ListAttributesInput{TargetType: "container-instance", AttributeName: name, AttributeValue: v, MaxResults: aws.Int32(2)}
		for pages := 0; pages == 0 || in.NextToken != nil; pages++ {
			page := must(s.ListAttributes(ctx, in))(t)
			for _, x := range page.Attributes {
				out = append(out, strings.TrimPrefix(*x.TargetId, instanceARN+"default/0000000000000000000000000000")+" "+*x.Name+"="+aws.ToString(x.Value))
			}
			in.NextToken = page.NextToken
		}
		return out
	}
	if err := put(attr(a, "stack", "blue"), attr(b, "stack", "green"), attr(a, "flag", "")); err != nil {
		t.Fatal(err)
	}
	same(t, "by name", list(aws.String("stack"), nil), []string{a[len(a)-4:] + " stack=blue", b[len(b)-4:] + " stack=green"})
	same(t, "by value", list(aws.String("stack"), aws.String("green")), []string{b[len(b)-4:] + " stack=green"})
	same(t, "all, in pages", len(list(nil, nil)), 15)
	if err := put(attr(a, "stack", "red")); err != nil {
		t.Fatal(err)
	}
	same(t, "replaced", list(aws.String("stack"), aws.String("red")), []string{a[len(a)-4:] + " stack=red"})
	must(s.DeleteAttributes(ctx, &sdk.DeleteAttributesInput{Attributes: []types.Attribute{attr(a, "stack", ""), attr(b, "nothing", "")}}))(t)
	same(t, "deleted", list(aws.String("stack"), nil), []string{b[len(b)-4:] + " stack=green"})

	var many []types.Attribute
	for n := range 10 {
		many = append(many, attr(a, fmt.Sprintf("x%d", n), "v"))
	}
	s.refuses(t, []refused{
		{"more than 10 of one's own [D]", "AttributeLimitExceededException", "Container instance " + a + " cannot have more than 10 custom attributes.", func() error { return put(many...) }},
		{"more than 10 in a call [D]", "InvalidParameterException", "Attributes cannot have more than 10 elements.", func() error { return put(append(many, many[0])...) }},
		{"none [O]", "InvalidParameterException", "Attributes cannot be empty.", func() error { return put() }},
		{"built-in [D]", "InvalidParameterException", "The attribute name 'ecs.ami-id' is reserved.", func() error { return put(attr(a, "ecs.ami-id", "x")) }},
		{"capability [D]", "InvalidParameterException", "The attribute name 'com.amazonaws.x' is reserved.", func() error { return put(attr(a, "com.amazonaws.x", "x")) }},
		{"name [D]", "InvalidParameterException", "Invalid attribute name 'a b'.", func() error { return put(attr(a, "a b", "x")) }},
		{"value [D]", "InvalidParameterException", "Invalid attribute value 'a,b'.", func() error { return put(attr(a, "a", "a,b")) }},
		{"unknown target [D]", "TargetNotFoundException", "The specified target " + nobody + " wasn't found.", func() error { return put(attr(nobody, "a", "x")) }},
		{"value without name [D]", "InvalidParameterException", "attributeValue can only be given together with attributeName.", func() error {
			return fails(s.ListAttributes(ctx, &sdk.ListAttributesInput{TargetType: "container-instance", AttributeValue: aws.String("x")}))
		}},
	})
	same(t, "all or none", list(aws.String("x0"), nil), []string{})
}
