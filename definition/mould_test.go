package definition_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/definition"
	"github.com/roadstead/roadstead/model"
)

const word = "W4K7RZQ2N6BXD3T5"

// anyTwin is another task of the same kind: all that is its own is another's.
func anyTwin(t *rapid.T, task *model.Task) *model.Task {
	twin := task.Relaunched(func(l *model.Launch) { l.StartedBy = "somebody" })
	twin.ID = fmt.Sprintf("%032x", rapid.Uint64().Draw(t, "id"))
	twin.Containers = append([]model.Container(nil), task.Containers...)
	for i := range twin.Containers {
		twin.Containers[i].ID = fmt.Sprintf("%08x-0000-0000-0000-%012x", rapid.Uint32().Draw(t, "container"), i)
	}
	twin.Instance, twin.Desired, twin.Version, twin.CreatedAt = "i9", model.TaskRunning, 7, 99
	return &twin
}

// What a mould casts is what Payload renders, for whatever task of the kind.
func TestMouldCastsPayloads(t *testing.T) {
	cast := 0
	rapid.Check(t, func(t *rapid.T) {
		td, err := definition.Normalize(anyInput(t))
		if err != nil {
			return
		}
		for i := range td.ContainerDefinitions {
			if rapid.Bool().Draw(t, "awslogs") {
				td.ContainerDefinitions[i].LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs,
					Options: map[string]string{"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p"}}
			}
		}
		task := placed(&td, pick(t, "launch", "", "EC2", "FARGATE"))
		task.Group = pick(t, "group", "", "family:f", "service:web")
		for i := range task.Containers {
			task.Containers[i].Digest = pick(t, "digest", "", "sha256:1")
		}
		around := definition.Around{ClusterARN: "arn:cluster", LogMode: pick(t, "mode", "", "blocking"), NoEndpoint: rapid.Bool().Draw(t, "no endpoint"),
			Endpoint: pick(t, "endpoint", "", "http://e"), Auth: func(string) *acs.RegistryAuth { return &acs.RegistryAuth{Type: "ecr", ECR: &acs.ECRAuth{}} }}
		if rapid.Bool().Draw(t, "execution") {
			around.ExecutionRole = &acs.RoleCreds{CredentialsID: "x"}
		}
		mould, err := definition.NewMould(task, &model.TaskDefinition{Spec: td}, around, word)
		twin := anyTwin(t, task)
		own := acs.Own{ExecutionRole: around.ExecutionRole}
		if rapid.Bool().Draw(t, "role") {
			around.Role = &acs.RoleCreds{CredentialsID: twin.ID}
			own.RoleCredentials = around.Role
		}
		if rapid.Bool().Draw(t, "interface") {
			around.ENIs = []acs.ENI{{EC2ID: "eni-1"}}
			own.NetworkInterfaces = around.ENIs
		}
		want, wantErr := definition.Payload(twin, &td, around)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("mould: %v, payload: %v", err, wantErr)
		}
		if err != nil {
			return
		}
		b, err := mould.Cast(twin, own)
		if err != nil || strings.Contains(string(b), word) {
			t.Fatalf("%s, %v", b, err)
		}
		cast++
		if got := decoded(t, b); !reflect.DeepEqual(got, decoded(t, encoded(t, want))) {
			t.Fatalf("cast     %s\nrendered %s", b, encoded(t, want))
		}
	})
	if cast == 0 {
		t.Error("nothing was cast: the generator proves nothing")
	}
	t.Logf("%d cast", cast)
}

func encoded(t *rapid.T, task acs.Task) []byte {
	b, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decoded is the task with its JSON texts decoded, too.
func decoded(t *rapid.T, b []byte) acs.Task {
	var task acs.Task
	if err := json.Unmarshal(b, &task); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return task
}

func TestKindOf(t *testing.T) {
	td := normalize(t, ec2(""))
	task := placed(&td, "EC2")
	same, ok := definition.KindOf(task)
	if !ok {
		t.Fatal("no kind")
	}
	other := task.Relaunched(func(l *model.Launch) { l.StartedBy = "me" })
	other.ID, other.Instance = "t2", "i2"
	if k, ok := definition.KindOf(&other); !ok || k != same {
		t.Errorf("%+v, %v, want %+v", k, ok, same)
	}
	for what, change := range map[string]func(*model.Task){
		"revision": func(t *model.Task) { t.Definition = "f:2" }, "launch type": func(t *model.Task) { t.LaunchType = "FARGATE" }, "group": func(t *model.Task) { t.Group = "g" },
		"digest":    func(t *model.Task) { t.Containers = []model.Container{{Name: "a", Digest: "sha256:2"}} },
		"overrides": func(t *model.Task) { t.Overrides = &types.TaskOverride{} }, "GPUs": func(t *model.Task) { t.Reserved.GPUs = []string{"g"} },
	} {
		x := task.Relaunched(func(*model.Launch) {})
		change(&x)
		if k, ok := definition.KindOf(&x); ok && k == same {
			t.Errorf("%s makes no difference", what)
		}
	}
}
