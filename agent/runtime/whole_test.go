package runtime

import (
	"context"
	"errors"
	"net"
	"testing"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// making is a containerd that makes tasks and nothing else.
type making struct {
	tasksapi.TasksClient
	made int
}

func (m *making) Create(context.Context, *tasksapi.CreateTaskRequest, ...grpc.CallOption) (*tasksapi.CreateTaskResponse, error) {
	m.made++
	return &tasksapi.CreateTaskResponse{Pid: 7}, nil
}

// A keeper that is killed takes its call along, and with the call's shim the reading of the streams ends: who makes the call again asks
// for a reader again (docs/decisions/022).
func TestEveryTryHasAReader(t *testing.T) {
	gone, err := grpc.NewClient("passthrough:///whole", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("no keeper") }))
	if err != nil {
		t.Fatal(err)
	}
	defer gone.Close()
	containerd := &making{}
	r := &Runtime{whole: gone, tasks: containerd}
	asked := 0
	a, err := r.makeTask(t.Context(), &tasksapi.CreateTaskRequest{ContainerID: "c"}, func(context.Context) error { asked++; return nil })
	if err != nil || a.Pid != 7 || containerd.made != 1 || asked != 2 {
		t.Errorf("%+v, %v; made %d times, asked for a reader %d times", a, err, containerd.made, asked)
	}
	none := errors.New("disk full")
	if _, err := r.makeTask(t.Context(), &tasksapi.CreateTaskRequest{}, func(context.Context) error { return none }); !errors.Is(err, none) || containerd.made != 1 {
		t.Errorf("without a reader: %v, made %d times", err, containerd.made)
	}
}
