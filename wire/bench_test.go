package wire_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/wire"
)

// The peer is encoding/json on mirror structs: the same fields under json tags, so that it reads and writes the very same
// members. Each benchmark reports ratio = our time / encoding/json's in the same run; the goal is under 2.

// mirror returns a struct type with the same members as t and json tags for their wire names.
func mirror(t reflect.Type) reflect.Type {
	switch t.Kind() {
	case reflect.Pointer:
		return reflect.PointerTo(mirror(t.Elem()))
	case reflect.Slice:
		return reflect.SliceOf(mirror(t.Elem()))
	case reflect.Map:
		return reflect.MapOf(t.Key(), mirror(t.Elem()))
	case reflect.Interface:
		return reflect.TypeFor[any]()
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return reflect.TypeFor[float64]()
		}
	default:
		return t
	}
	names := wire.WireNames(t)
	var fields []reflect.StructField
	for f := range t.Fields() {
		name, ok := names[f.Name]
		if !ok {
			continue
		}
		switch f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.String:
			name += ",omitzero"
		}
		fields = append(fields, reflect.StructField{Name: f.Name, Type: mirror(f.Type), Tag: reflect.StructTag(`json:"` + name + `"`)})
	}
	return reflect.StructOf(fields)
}

// benchCall decodes request into I and encodes out, beside encoding/json doing the same.
func benchCall[I, O any](b *testing.B, request []byte, out *O) {
	answer, err := wire.MarshalAnswer(out)
	if err != nil {
		b.Fatal(err)
	}
	inType, outType := mirror(reflect.TypeFor[I]()), mirror(reflect.TypeFor[O]())
	mirrored := reflect.New(outType)
	if err := json.Unmarshal(answer, mirrored.Interface()); err != nil {
		b.Fatal(err)
	}
	if peer, err := json.Marshal(mirrored.Interface()); err != nil || sortedJSON(peer) != sortedJSON(answer) {
		b.Fatalf("the peer writes something else: %v\n%s\n%s", err, peer, answer)
	}
	encode := wire.AnswerEncoder[O]()
	ours := func() error {
		if err := wire.Unmarshal(request, new(I)); err != nil {
			return err
		}
		_, err := encode(out)
		return err
	}
	peer := func() error {
		if err := json.Unmarshal(request, reflect.New(inType).Interface()); err != nil {
			return err
		}
		_, err := json.Marshal(mirrored.Interface())
		return err
	}
	b.SetBytes(int64(len(request) + len(answer)))
	benchBeside(b, ours, peer)
}

// benchBeside measures ours, then reports the median ratio of alternating blocks of both, which other load on the machine
// disturbs alike.
func benchBeside(b *testing.B, ours, peer func() error) {
	b.ReportAllocs()
	for b.Loop() {
		if err := ours(); err != nil {
			b.Fatal(err)
		}
	}
	const blocks = 25
	block := func(fn func() error) time.Duration {
		start := time.Now()
		for range b.N/blocks + 1 {
			if err := fn(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	var ratios []float64
	for range blocks {
		ratios = append(ratios, float64(block(ours))/float64(block(peer)))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[blocks/2], "ratio")
}

const createService = `{"cluster":"default","serviceName":"web","taskDefinition":"web:3","desiredCount":3,"launchType":"EC2",
"enableECSManagedTags":true,"loadBalancers":[{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/x/y",
"containerName":"web","containerPort":80}],"networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-1","subnet-2"],
"securityGroups":["sg-1"],"assignPublicIp":"ENABLED"}},"deploymentConfiguration":{"deploymentCircuitBreaker":{"enable":true,
"rollback":true},"maximumPercent":200,"minimumHealthyPercent":100},"tags":[{"key":"a","value":"b"},{"key":"c","value":"d"}],
"unknownMember":{"x":[1,2]}}`

func benchService(i string) types.Service {
	now := aws.Time(time.UnixMilli(1700000000123))
	s := types.Service{
		ServiceArn: aws.String("arn:aws:ecs:us-east-1:000000000000:service/default/web" + i), ServiceName: aws.String("web" + i),
		ClusterArn: aws.String("arn:aws:ecs:us-east-1:000000000000:cluster/default"), Status: aws.String("ACTIVE"), DesiredCount: 3,
		RunningCount: 3, LaunchType: types.LaunchTypeEc2, SchedulingStrategy: types.SchedulingStrategyReplica, CreatedAt: now,
		TaskDefinition:          aws.String("arn:aws:ecs:us-east-1:000000000000:task-definition/web:3"),
		DeploymentConfiguration: &types.DeploymentConfiguration{MaximumPercent: aws.Int32(200), MinimumHealthyPercent: aws.Int32(100)},
		LoadBalancers:           []types.LoadBalancer{}, PlacementStrategy: []types.PlacementStrategy{}, Tags: []types.Tag{},
		Deployments: []types.Deployment{{Id: aws.String("ecs-svc/1234567890123456789"), Status: aws.String("PRIMARY"), DesiredCount: 3,
			RunningCount: 3, CreatedAt: now, UpdatedAt: now, RolloutState: types.DeploymentRolloutStateCompleted,
			RolloutStateReason: aws.String("ECS deployment ecs-svc/1234567890123456789 completed.")}},
	}
	for range 10 {
		s.Events = append(s.Events, types.ServiceEvent{Id: aws.String("0e6a2b2e-93b5-4d1e-8ab9-6c1e5b0a7d3f"), CreatedAt: now,
			Message: aws.String("(service web) has reached a steady state.")})
	}
	return s
}

func BenchmarkCreateService(b *testing.B) {
	s := benchService("")
	benchCall[ecs.CreateServiceInput](b, []byte(createService), &ecs.CreateServiceOutput{Service: &s})
}

func BenchmarkDescribeServices(b *testing.B) {
	out := &ecs.DescribeServicesOutput{Failures: []types.Failure{}}
	for _, i := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		out.Services = append(out.Services, benchService(i))
	}
	request := `{"cluster":"default","services":["web0","web1","web2","web3","web4","web5","web6","web7","web8","web9"],"include":["TAGS"]}`
	benchCall[ecs.DescribeServicesInput](b, []byte(request), out)
}

func BenchmarkRunTask(b *testing.B) {
	out := &ecs.RunTaskOutput{Failures: []types.Failure{}, Tasks: []types.Task{{TaskArn: aws.String(
		"arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef"), LastStatus: aws.String("PENDING"),
		DesiredStatus: aws.String("RUNNING"), CreatedAt: aws.Time(time.UnixMilli(1700000000123)), Cpu: aws.String("256"),
		Containers: []types.Container{{Name: aws.String("web"), LastStatus: aws.String("PENDING"), NetworkInterfaces: []types.NetworkInterface{}}}}}}
	request := `{"cluster":"default","taskDefinition":"web:3","count":1,"overrides":{"containerOverrides":[{"name":"web",` +
		`"environment":[{"name":"A","value":"b"}],"command":["echo","hello"]}]},"startedBy":"me"}`
	benchCall[ecs.RunTaskInput](b, []byte(request), out)
}

// BenchmarkDecodeTaskDefinition is a large decode alone: every member of a task definition, as state reads rows.
func BenchmarkDecodeTaskDefinition(b *testing.B) {
	full := &types.TaskDefinition{}
	fill(reflect.ValueOf(full).Elem(), "x", map[reflect.Type]int{})
	row, err := wire.Marshal(full)
	if err != nil {
		b.Fatal(err)
	}
	peerType := mirror(reflect.TypeFor[types.TaskDefinition]())
	b.SetBytes(int64(len(row)))
	benchBeside(b,
		func() error { return wire.Unmarshal(row, new(types.TaskDefinition)) },
		func() error { return json.Unmarshal(row, reflect.New(peerType).Interface()) })
}
