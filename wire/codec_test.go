package wire_test

import (
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/document"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/roadstead/roadstead/wire"
)

func TestMarshal(t *testing.T) {
	at := func(sec, nanos int64) *time.Time { return aws.Time(time.Unix(sec, nanos)) }
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"[D] nil members are absent", types.Failure{}, `{}`},
		{"[D] zero numbers and booleans are present", types.ContainerDefinition{}, `{"cpu":0}`},
		{"[D] absent and empty differ", ecs.UpdateServiceInput{LoadBalancers: []types.LoadBalancer{}, Service: aws.String("")},
			`{"service":"","forceNewDeployment":false,"loadBalancers":[]}`},
		{"[D] 1.3 epoch seconds, fraction only if there is one", types.Task{CreatedAt: at(1700000000, 123e6), StartedAt: at(1700000000, 0)},
			`{"createdAt":1700000000.123,"enableExecuteCommand":false,"startedAt":1700000000,"version":0}`},
		{"[I] rows keep nanoseconds", types.Deployment{CreatedAt: at(1, 1)},
			`{"createdAt":1.000000001,"desiredCount":0,"failedTasks":0,"pendingCount":0,"runningCount":0}`},
		{"[I] before 1970", types.ServiceEvent{CreatedAt: at(-1, 750e6)}, `{"createdAt":-0.25}`},
		{"[D] 1.6 a union is an object with one member", types.ServiceConnectConfiguration{ContainerConfigurations: []types.ServiceConnectContainerConfiguration{
			&types.ServiceConnectContainerConfigurationMemberLogLevel{Value: "WARN"}}}, `{"enabled":false,"containerConfigurations":[{"logLevel":"WARN"}]}`},
		{"[I] map keys are sorted", map[string]string{"b": "2", "a": "1"}, `{"a":"1","b":"2"}`},
		{"[I] strings", []string{"\"\\\n\r\t\x01é\u2028<&>", "\xff"}, `["\"\\\n\r\t\u0001é` + "\u2028" + `<&>","` + "\uFFFD" + `"]`},
		{"[D] the three numbers JSON cannot write", []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1.5, 1e300},
			`["NaN","Infinity","-Infinity",1.5,1e+300]`},
		{"[D] blobs are base64", [][]byte{{0xff}, {}}, `["/w==",""]`},
		{"[D] documents keep zero values", types.DeploymentLifecycleHook{HookDetails: document.NewLazyDocument(
			map[string]any{"b": false, "a": []any{0.0, "", nil}})}, `{"hookDetails":{"a":[0,"",null],"b":false}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := wire.Marshal(tt.in)
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
	if got, err := wire.Marshal(make(chan int)); err == nil {
		t.Errorf("a channel became %s", got)
	}
	if got, err := wire.Marshal(ecs.CreateGatewayInput{Configuration: &types.UnknownUnionMember{}}); err == nil {
		t.Errorf("an unknown union member became %s", got)
	}
}

func TestUnmarshal(t *testing.T) {
	in := func(edit func(*ecs.UpdateServiceInput)) *ecs.UpdateServiceInput {
		v := &ecs.UpdateServiceInput{}
		edit(v)
		return v
	}
	tests := []struct {
		name, json string
		want       *ecs.UpdateServiceInput
	}{
		{"[D] 1.2 unknown members are ignored", ` { "future" : {"a":[1,-2.5e3,{"b":null}],"c":"\u00e9"} , "service":"s"}`,
			in(func(v *ecs.UpdateServiceInput) { v.Service = aws.String("s") })},
		{"[D] 1.2 an empty list is not an absent one", `{"loadBalancers":[]}`,
			in(func(v *ecs.UpdateServiceInput) { v.LoadBalancers = []types.LoadBalancer{} })},
		{"[I] null is absent", `{"loadBalancers":null,"service":null,"desiredCount":null}`, in(func(*ecs.UpdateServiceInput) {})},
		{"[I] names are case-sensitive", `{"Service":"s","SERVICE":"t"}`, in(func(*ecs.UpdateServiceInput) {})},
		{"[I] the last of two equal names wins", `{"service":"s","service":"t"}`,
			in(func(v *ecs.UpdateServiceInput) { v.Service = aws.String("t") })},
		{"[I] whole numbers however written", `{"desiredCount":3.0e0,"healthCheckGracePeriodSeconds":-0}`,
			in(func(v *ecs.UpdateServiceInput) {
				v.DesiredCount, v.HealthCheckGracePeriodSeconds = aws.Int32(3), aws.Int32(0)
			})},
		{"[D] escapes", `{"service":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d"}`,
			in(func(v *ecs.UpdateServiceInput) { v.Service = aws.String("\"\\/\b\f\n\r\té😀\uFFFD") })},
		{"[D] enums are any string", `{"availabilityZoneRebalancing":"LATER"}`,
			in(func(v *ecs.UpdateServiceInput) { v.AvailabilityZoneRebalancing = "LATER" })},
		{"[D] nesting", `{"deploymentConfiguration":{"deploymentCircuitBreaker":{"enable":true,"rollback":false}}}`,
			in(func(v *ecs.UpdateServiceInput) {
				v.DeploymentConfiguration = &types.DeploymentConfiguration{
					DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}}
			})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := &ecs.UpdateServiceInput{}
			if err := wire.Unmarshal([]byte(tt.json), got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s", firstDifference(dump(reflect.ValueOf(tt.want)), dump(reflect.ValueOf(got))))
			}
		})
	}
}

// Wrong JSON types, ranges and syntax are refused, saying where [O] (the words) / [I] (the place).
func TestUnmarshalRefuses(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	tests := []struct{ json, want string }{
		{`{"family":1}`, "NUMBER_VALUE can not be converted to a String (at family)"},
		{`{"family":true}`, "TRUE_VALUE can not be converted to a String (at family)"},
		{`{"family":{}}`, "Start of structure or map found where not expected. (at family)"},
		{`{"family":[]}`, "Start of list found where not expected (at family)"},
		{`{"containerDefinitions":"x"}`, "Expected list or null (at containerDefinitions)"},
		{`{"containerDefinitions":{}}`, "Start of structure or map found where not expected. (at containerDefinitions)"},
		{`{"containerDefinitions":["x"]}`, "Unexpected field type (at containerDefinitions[0])"},
		{`{"containerDefinitions":[null]}`, "Unexpected field type (at containerDefinitions[0])"},
		{`{"containerDefinitions":[{"command":["a",null]}]}`, "NULL_VALUE can not be converted to a String (at containerDefinitions[0].command[1])"},
		{`{"containerDefinitions":[{},{"cpu":"1"}]}`, "STRING_VALUE can not be converted to an Integer (at containerDefinitions[1].cpu)"},
		{`{"containerDefinitions":[{"cpu":1.5}]}`, "NUMBER_VALUE can not be converted to an Integer (at containerDefinitions[0].cpu)"},
		{`{"containerDefinitions":[{"cpu":2147483648}]}`, "NUMBER_VALUE is out of range of an Integer (at containerDefinitions[0].cpu)"},
		{`{"containerDefinitions":[{"essential":"true"}]}`, "STRING_VALUE can not be converted to a Boolean (at containerDefinitions[0].essential)"},
		{`{"containerDefinitions":[{"dockerLabels":{"a":1}}]}`, "NUMBER_VALUE can not be converted to a String (at containerDefinitions[0].dockerLabels.a)"},
		{`[]`, "Start of list found where not expected"},
		{`null`, "Unexpected field type"},
		{``, "Unexpected end of document."},
		{`{"family":"x"`, "Unexpected end of document."},
		{`{"family":"x",}`, "Unexpected character '}'."},
		{`{"family" "x"}`, "Unexpected character '\"'."},
		{`{"family":"x"} {}`, "Unexpected character '{'."},
		{"{\"family\":\"\n\"}", "Unexpected character '\n'. (at family)"},
		{`{"x":01}`, "Unexpected character '}'."},
		{`{"x":` + deep + `}`, "The document nests too deeply."},
	}
	for _, tt := range tests {
		t.Run(tt.json[:min(len(tt.json), 60)], func(t *testing.T) {
			err := wire.Unmarshal([]byte(tt.json), &ecs.RegisterTaskDefinitionInput{})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	huge := `{"x":"","placementConstraints":[` + strings.Repeat("{},", 1<<18) + `{}]}`
	if err := wire.Unmarshal([]byte(huge), &ecs.RegisterTaskDefinitionInput{}); err == nil {
		t.Error("a quarter of a million elements were taken")
	}
	if err := wire.Unmarshal([]byte("{}"), ecs.RegisterTaskDefinitionInput{}); err == nil {
		t.Error("filled a struct without a pointer")
	}
}

// [D] SEMANTICS 1.6: a union has exactly one member; [I] one we do not know leaves it unset.
func TestUnions(t *testing.T) {
	tests := []struct {
		name, json, again, err string
	}{
		{"one member", `{"configuration":{"hostSharedAlb":{}}}`, `{"configuration":{"hostSharedAlb":{}}}`, ""},
		{"null beside it", `{"configuration":{"x":null,"hostSharedAlb":{}}}`, `{"configuration":{"hostSharedAlb":{}}}`, ""},
		{"unknown member", `{"configuration":{"future":{}}}`, `{}`, ""},
		{"no member", `{"configuration":{}}`, "", "Expected exactly one member of the union, found 0 (at configuration)"},
		{"two members", `{"configuration":{"hostSharedAlb":{},"future":1}}`, "",
			"Expected exactly one member of the union, found 2 (at configuration)"},
		{"wrong type", `{"configuration":"hostSharedAlb"}`, "", "Unexpected field type (at configuration)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in ecs.CreateGatewayInput
			if err := wire.Unmarshal([]byte(tt.json), &in); err != nil || tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("got %v, want %s", err, tt.err)
				}
				return
			}
			if again, err := wire.Marshal(in); err != nil || string(again) != tt.again {
				t.Errorf("again %s, %v, want %s", again, err, tt.again)
			}
		})
	}
}

// A list of unions loses the elements of a newer model rather than hold nothing in their place [I].
func TestUnknownUnionInList(t *testing.T) {
	var in types.ServiceConnectConfiguration
	text := `{"containerConfigurations":[{"future":{}},{"logLevel":"WARN"},{"future":1},{"logLevel":"INFO"}]}`
	if err := wire.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	want := `{"enabled":false,"containerConfigurations":[{"logLevel":"WARN"},{"logLevel":"INFO"}]}`
	if got, err := wire.Marshal(in); err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	in.ContainerConfigurations[0] = nil
	if got, err := wire.Marshal(in); err == nil {
		t.Errorf("a union of nothing became %s", got)
	}
}

// Timestamps as the three protocols carry them [D], and Java's notation [O].
func TestTimes(t *testing.T) {
	want := time.UnixMilli(1700000000123).UTC()
	for _, text := range []string{"1700000000.123", "1.700000000123E9", "1700000000.1230000000000"} {
		var task types.Task
		if err := wire.Unmarshal([]byte(`{"createdAt":`+text+`}`), &task); err != nil || !task.CreatedAt.Equal(want) {
			t.Errorf("%s became %v, %v", text, task.CreatedAt, err)
		}
	}
	for _, text := range []string{`"2023-11-14T22:13:20Z"`, "1e300", "-99999999999999", `"x"`, "true"} {
		var task types.Task
		if err := wire.Unmarshal([]byte(`{"createdAt":`+text+`}`), &task); err == nil {
			t.Errorf("%s became %v", text, task.CreatedAt)
		}
	}
	for _, text := range []string{"2023-11-14T22:13:20.123Z", "2023-11-14T23:13:20.123%2B01:00", "1700000000.123"} {
		var in cloudwatch.GetMetricStatisticsInput
		if err := wire.UnmarshalForm("StartTime="+text, false, &in); err != nil || !in.StartTime.Equal(want) {
			t.Errorf("%s became %v, %v", text, in.StartTime, err)
		}
	}
}

// The forms of CBOR that our own encoder does not write: open lengths, half and single floats, other integer widths [D].
func TestCBORForms(t *testing.T) {
	want := cwtypes.MetricDatum{MetricName: aws.String("ab"), Value: aws.Float64(1.5), StorageResolution: aws.Int32(-2),
		Values: []float64{1, 2}, Timestamp: aws.Time(time.Unix(10, 5e8).UTC())}
	open := "\xbf" + "jMetricName" + "\x7faaab\xff" + "eValue" + "\xf9\x3e\x00" + "qStorageResolution" + "\x39\x00\x01" +
		"fValues" + "\x9f\x01\xfa\x40\x00\x00\x00\xff" + "iTimestamp" + "\xc1\xfb\x40\x25\x00\x00\x00\x00\x00\x00" +
		"dUnit\xf6" + "ffuture" + "\xa1ax\x82\xc1\x01\xf7" + "\xff"
	var got cwtypes.MetricDatum
	if err := wire.UnmarshalCBOR([]byte(open), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", "\xbf", "\xa1", "\xa1aa", "\xa1\x01\x01", "\x80", "\xa0\xa0", "\xfc", "\xa1fValues\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
		"\xa1jMetricName\x7f\x7f\xff\xff", "\xa1jMetricName\x01", "\xa1eValueaa", "\xa1qStorageResolution\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
		"\xa1iTimestamp\x01", "\xa1iTimestamp\xc1aa", "\xa1ax" + strings.Repeat("\x81", 300)} {
		if err := wire.UnmarshalCBOR([]byte(bad), &cwtypes.MetricDatum{}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestForms(t *testing.T) {
	t.Run("[D] an empty list is sent as the bare name", func(t *testing.T) {
		var in iam.CreateRoleInput
		if err := wire.UnmarshalForm("Tags=&RoleName=", false, &in); err != nil || in.Tags == nil || *in.RoleName != "" {
			t.Errorf("%+v, %v", in, err)
		}
	})
	t.Run("[I] gaps and order of indices do not matter", func(t *testing.T) {
		var in iam.CreateRoleInput
		err := wire.UnmarshalForm("Tags.member.10.Key=c&Tags.member.2.Key=b&Tags.member.1.Key=a&Tags.member.x.Key=d", false, &in)
		if err != nil || len(in.Tags) != 3 || *in.Tags[0].Key != "a" || *in.Tags[2].Key != "c" {
			t.Errorf("%+v, %v", in.Tags, err)
		}
	})
	for _, bad := range []string{"MaxSessionDuration=x", "MaxSessionDuration=99999999999", "a" + strings.Repeat(".a", 100) + "=1"} {
		if err := wire.UnmarshalForm(bad, false, &iam.CreateRoleInput{}); err == nil {
			t.Errorf("%.40s was taken", bad)
		}
	}
}

func TestXML(t *testing.T) {
	out := &iam.GetRoleOutput{Role: &iamtypes.Role{RoleName: aws.String("a\x00<\n"), Tags: []iamtypes.Tag{},
		CreateDate: aws.Time(time.UnixMilli(1700000000123))}}
	want := "<Role><CreateDate>2023-11-14T22:13:20.123Z</CreateDate><RoleName>a\uFFFD&lt;&#xA;</RoleName><Tags></Tags></Role>"
	if got, err := wire.MarshalXML(out, false); err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// Shapes are built once and shared: first uses at the same time must agree.
func TestShapesAreBuiltConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, v := range []any{&ecs.DescribeTaskSetsOutput{}, &ecs.DescribeDaemonRevisionsOutput{}, &types.Service{}, &types.TaskSet{}} {
				if _, err := wire.Marshal(v); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Every union and every exported member of ECS's types has its name from the schema, not from a guess [D].
func TestWireNames(t *testing.T) {
	for typ, want := range map[reflect.Type]map[string]string{
		reflect.TypeFor[types.EFSVolumeConfiguration](): {"FileSystemId": "fileSystemId", "RootDirectory": "rootDirectory"},
		reflect.TypeFor[types.ContainerDefinition]():    {"DnsServers": "dnsServers", "Cpu": "cpu"},
		reflect.TypeFor[ecs.CreateServiceInput]():       {"EnableECSManagedTags": "enableECSManagedTags"},
		reflect.TypeFor[cwtypes.MetricDatum]():          {"MetricName": "MetricName"},
	} {
		names := wire.WireNames(typ)
		for field, name := range want {
			if names[field] != name {
				t.Errorf("%s.%s is %q, want %q", typ, field, names[field], name)
			}
		}
	}
}
