package acs_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/roadstead/roadstead/acs"
)

// Every message struct must be known to Decode under its own name, or a frame would be dropped in silence.
func TestEveryMessageOfTheProtocolDecodes(t *testing.T) {
	theirs := regexp.MustCompile(`(?m)^\t(\w*(?:Message|Request|Ack|Logs|Reset|Done)|AckPublish\w+) struct`)
	ours := regexp.MustCompile(`(?m)^\t(Roadstead\w+) struct`)
	var structs [][]string
	for file, names := range map[string]*regexp.Regexp{"message.go": theirs, "exec.go": ours, "report.go": ours} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		structs = append(structs, names.FindAllStringSubmatch(string(src), -1)...)
	}
	for _, m := range structs {
		msg, err := acs.Decode([]byte(`{"type":"` + m[1] + `","message":{}}`))
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		if got := reflect.TypeOf(msg).Elem().Name(); got != m[1] {
			t.Errorf("%s decodes into %s", m[1], got)
		}
	}
}

func TestFrameRoundTrip(t *testing.T) {
	sent := &acs.PayloadMessage{MessageID: "m1", SeqNum: 3, Tasks: []acs.Task{{Arn: "arn", CPU: 0.25, Containers: []acs.Container{{Name: "c", Essential: true}}}}}
	b, err := acs.Encode(sent)
	if err != nil {
		t.Fatal(err)
	}
	got, err := acs.Decode(b)
	if err != nil || !reflect.DeepEqual(got, sent) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// [run] AGENT-PROTOCOL §1.3: telemetry frames carry the headers of a signed request before the JSON.
func TestSignedTelemetryFrame(t *testing.T) {
	msg, err := acs.Decode([]byte("Authorization: AWS4\r\nHost: h\r\n\r\n" + `{"type":"PublishHealthRequest","message":{"tasks":[{"taskArn":"a"}]}}`))
	if err != nil || msg.(*acs.PublishHealthRequest).Tasks[0].TaskArn != "a" {
		t.Fatalf("got %+v, %v", msg, err)
	}
}

// Frames that the stock agent was seen to take and to send (AGENT-PROTOCOL §1.2), to the letter.
func TestFramesToTheLetter(t *testing.T) {
	for _, c := range []struct {
		msg  any
		want string
	}{
		{acs.PayloadMessage{MessageID: "m", ClusterArn: "c", ContainerInstanceArn: "i", GeneratedAt: 1, SeqNum: 2, Tasks: []acs.Task{{Arn: "t", DesiredStatus: "STOPPED"}}},
			`{"type":"PayloadMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","generatedAt":1,"seqNum":2,"tasks":[{"arn":"t","desiredStatus":"STOPPED"}]}}`},
		{&acs.HeartbeatMessage{MessageID: "m", Healthy: true}, `{"type":"HeartbeatMessage","message":{"messageId":"m","healthy":true}}`},
		{acs.TaskManifestMessage{MessageID: "m", ClusterArn: "c", ContainerInstanceArn: "i", GeneratedAt: 1, Timeline: 2, Tasks: []acs.ManifestTask{{TaskArn: "t", DesiredStatus: "RUNNING", ClusterArn: "c"}}},
			`{"type":"TaskManifestMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","generatedAt":1,"timeline":2,"tasks":[{"taskArn":"t","desiredStatus":"RUNNING","taskClusterArn":"c"}]}}`},
		{acs.TaskStopVerificationAck{MessageID: "m", GeneratedAt: 1, StopTasks: []acs.ManifestTask{}}, `{"type":"TaskStopVerificationAck","message":{"messageId":"m","generatedAt":1,"stopTasks":[]}}`},
		{acs.AckRequest{Cluster: "c", ContainerInstance: "i", MessageID: "m"}, `{"type":"AckRequest","message":{"cluster":"c","containerInstance":"i","messageId":"m"}}`},
		{acs.AckPublishHealth{}, `{"type":"AckPublishHealth","message":{}}`},
	} {
		if got, err := acs.Encode(c.msg); err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
}

func TestUnknownMessageIsNamedAsSuch(t *testing.T) {
	if _, err := acs.Decode([]byte(`{"type":"FutureMessage","message":{}}`)); !errors.Is(err, acs.ErrUnknownMessage) {
		t.Fatalf("got %v", err)
	}
	if _, err := acs.Decode([]byte("garbage")); err == nil || errors.Is(err, acs.ErrUnknownMessage) {
		t.Fatalf("got %v", err)
	}
}

// The short cut for frames in our own form reads what the long way reads.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"type":"PayloadMessage","message":{"tasks":[{}]}}`, "A: b\r\n\r\n{}", `{"type":"HeartbeatMessage","message":{"messageId":"m"},"more":{}}`,
		`{"type":"HeartbeatMessage","message":{"messageId":"m"},"type":"AckRequest"}`, `{"type":"HeartbeatMessage","message":{}} `,
		`{"type":"HeartbeatMessage","message":{"messageId":"m"},"message":{"messageId":"n"}}`, `{"type":"Nobody","message":{}}`, `{"type":"Heart\u0062eatMessage","message":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		msg, err := acs.Decode(b)
		if err == nil {
			if _, err := acs.Encode(msg); err != nil {
				t.Fatal(err)
			}
		}
		if len(b) == 0 || b[0] != '{' {
			return
		}
		if slow, slowErr := acs.DecodeAny(b); (err == nil) != (slowErr == nil) || err == nil && !reflect.DeepEqual(msg, slow) {
			t.Fatalf("%q\n is %+v, %v\nwant %+v, %v", b, msg, err, slow, slowErr)
		}
	})
}

// A payload of tasks that were encoded before is the payload that Encode would have made.
func TestEncodePayload(t *testing.T) {
	head := acs.PayloadMessage{MessageID: "m", ClusterArn: "c", ContainerInstanceArn: "i", GeneratedAt: 1, SeqNum: 2}
	role := &acs.RoleCreds{CredentialsID: "id"}
	for _, tasks := range [][]acs.Task{{}, {{Arn: "t1", DesiredStatus: "STOPPED"}}, {{Arn: "t1"}, {Arn: "t2", RoleCredentials: role, NetworkInterfaces: []acs.ENI{{EC2ID: "e"}}}, {Arn: "t3", ExecutionRole: role}}} {
		var encoded [][]byte
		for _, task := range tasks {
			bare := task
			bare.NetworkInterfaces, bare.RoleCredentials, bare.ExecutionRole = nil, nil, nil
			b, err := json.Marshal(bare)
			if err == nil {
				b, err = acs.AppendOwn(b, acs.Own{NetworkInterfaces: task.NetworkInterfaces, RoleCredentials: task.RoleCredentials, ExecutionRole: task.ExecutionRole})
			}
			if err != nil {
				t.Fatal(err)
			}
			encoded = append(encoded, b)
		}
		b, err := acs.EncodePayload(head, encoded)
		if err != nil {
			t.Fatal(err)
		}
		whole := head
		whole.Tasks = tasks
		if got, err := acs.Decode(b); err != nil || !reflect.DeepEqual(got, &whole) {
			t.Errorf("%s\n is %+v, %v\nwant %+v", b, got, err, &whole)
		}
	}
}
