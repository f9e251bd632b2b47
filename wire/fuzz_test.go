package wire_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/roadstead/roadstead/wire"
)

// Seeds are small on purpose: the fuzzer minimizes every interesting input for up to a minute each, and a seed of several
// kilobytes leaves it no time to run anything (execs 0/sec). Run with -fuzzminimizetime 10x.
//
// Whatever the decoders accept, they accept again after encoding, as the same value; nothing makes them panic.

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"family":"f","volumes":[{"name":"v","host":{"sourcePath":"/a"}}],"placementConstraints":[{"type":"memberOf"}]}`, `{"family":"\ud83d\ude00\u0000"}`, `{"x":[1,-0.5e+3,true,null,{"a":{}}]}`, `{"cpu":"1","cpu":null}`,
		`{"containerDefinitions":[{"cpu":1e2,"dockerLabels":{"":""},"environment":[]}]}`, `[`, `{"a":01}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !wire.SkipAgrees(text) {
			t.Fatalf("encoding/json disagrees about %q", text)
		}
		var in, again ecs.RegisterTaskDefinitionInput
		if wire.Unmarshal(text, &in) != nil {
			return
		}
		b, err := wire.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(in, again) {
			t.Fatalf("%q became %q, then %v", text, b, err)
		}
	})
}

// A document cut off anywhere is refused, whatever was being read.
func TestTruncated(t *testing.T) {
	full := &ecs.RegisterTaskDefinitionInput{}
	fill(reflect.ValueOf(full).Elem(), "x", map[reflect.Type]int{})
	text, err := wire.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	for n := range text {
		if err := wire.Unmarshal(text[:n], &ecs.RegisterTaskDefinitionInput{}); err == nil {
			t.Errorf("took the first %d bytes: %s", n, text[:n])
		}
	}
	data := &cloudwatch.PutMetricDataInput{}
	fill(reflect.ValueOf(data).Elem(), "x", map[reflect.Type]int{})
	raw, err := wire.MarshalCBOR(data)
	if err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		if err := wire.UnmarshalCBOR(raw[:n], &cloudwatch.PutMetricDataInput{}); err == nil {
			t.Errorf("took the first %d bytes: %x", n, raw[:n])
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"Tags.member.1.Key=a&Tags.member.1.Value=b&RoleName=x&MaxSessionDuration=1",
		"Tags=&Tags.member.01.Key=%ff", "Tags.member.-1.Key=a&Tags..=b", "a.b.c.d.e=1&a.b=2", "Filter.1.Name=a&Filter.1.Value.1=b&DryRun=true"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		var role iam.CreateRoleInput
		_ = wire.UnmarshalForm(query, false, &role)
		var vpcs describeVpcsInput
		_ = wire.UnmarshalForm(query, true, &vpcs)
		var alarm, again cloudwatch.PutMetricAlarmInput
		if wire.UnmarshalForm(query, false, &alarm) != nil {
			return
		}
		b, err := wire.Marshal(alarm)
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.Unmarshal(b, &again); err != nil || dump(reflect.ValueOf(alarm)) != dump(reflect.ValueOf(again)) {
			t.Fatalf("%q became %s, then %v", query, b, err)
		}
	})
}

func FuzzCBOR(f *testing.F) {
	seed, err := wire.MarshalCBOR(&cloudwatch.PutMetricDataInput{Namespace: aws.String("n"), MetricData: []cwtypes.MetricDatum{{
		Timestamp: aws.Time(time.UnixMilli(1700000000123)), Value: aws.Float64(1.5), StorageResolution: aws.Int32(-1)}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	for _, s := range []string{"\xa0", "\xbf\xff", "\xa1iNamespace\x7faaab\xff", "\xa1jMetricData\x9f\xa1eValue\xf9\x3e\x00\xff",
		"\xa1jMetricData\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "\xc1\xc1\xc1\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var in, again cloudwatch.PutMetricDataInput
		if wire.UnmarshalCBOR(raw, &in) != nil {
			return
		}
		b, err := wire.MarshalCBOR(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := wire.UnmarshalCBOR(b, &again); err != nil || dump(reflect.ValueOf(in)) != dump(reflect.ValueOf(again)) {
			t.Fatalf("%x became %x, then %v", raw, b, err)
		}
	})
}
