package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// wholePatience bounds a call that must not be cut short.
const wholePatience = 30 * time.Second

// A call that makes a task, or ends one, must not be cut short: containerd 1.6 forgets the shim, leaves the bundle, and sometimes a
// container that can be neither used nor made again. But a call ends with its caller. So another process
// that outlives the agent makes it (docs/decisions/022); the next agent finds the call under way, or its result.

// WholeCalls is what that process serves. It holds no memory: a call is one of containerd's, with its answer.
type WholeCalls struct {
	tasksapi.UnimplementedTasksServer

	address string // of containerd
	client  *client.Client
	tasks   tasksapi.TasksClient
	same    singleflight.Group
	calls   atomic.Int64 // under way
}

// NewWholeCalls connects lazily to the containerd at address.
func NewWholeCalls(address string) (*WholeCalls, error) {
	c, err := connect(address, "roadstead")
	if err != nil {
		return nil, err
	}
	return &WholeCalls{address: address, client: c, tasks: c.TaskService()}, nil
}

// Serve answers at l until ctx ends, which should not be while it is Busy.
func (w *WholeCalls) Serve(ctx context.Context, l net.Listener) error {
	s := grpc.NewServer()
	tasksapi.RegisterTasksServer(s, w)
	stop := context.AfterFunc(ctx, s.Stop)
	defer stop()
	err := s.Serve(l)
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, w.client.Close())
}

// Busy says whether a call is under way.
func (w *WholeCalls) Busy() bool { return w.calls.Load() > 0 }

// Create makes a task, also when its caller has died meanwhile.
func (w *WholeCalls) Create(ctx context.Context, q *tasksapi.CreateTaskRequest) (*tasksapi.CreateTaskResponse, error) {
	return whole(ctx, w, "create "+q.ContainerID, func(ctx context.Context) (*tasksapi.CreateTaskResponse, error) { return w.tasks.Create(ctx, q) })
}

// Delete ends a task's shim, also when its caller has died meanwhile.
func (w *WholeCalls) Delete(ctx context.Context, q *tasksapi.DeleteTaskRequest) (*tasksapi.DeleteResponse, error) {
	return whole(ctx, w, "delete "+q.ContainerID, func(ctx context.Context) (*tasksapi.DeleteResponse, error) { return w.tasks.Delete(ctx, q) })
}

// whole makes the call with no other end than wholePatience. Whoever makes the same call meanwhile gets the same answer.
func whole[A any](ctx context.Context, w *WholeCalls, key string, call func(context.Context) (*A, error)) (*A, error) {
	namespace, ok := namespaces.Namespace(ctx)
	if !ok {
		return nil, status.Error(codes.InvalidArgument, "no containerd namespace")
	}
	if of := metadata.ValueFromIncomingContext(ctx, addressHeader); len(of) != 1 || of[0] != w.address {
		return nil, status.Errorf(codes.Unavailable, "this makes calls to the containerd at %s, not %q", w.address, of)
	}
	w.calls.Add(1)
	defer w.calls.Add(-1)
	a, err, _ := w.same.Do(namespace+" "+key, func() (any, error) {
		ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), namespace), wholePatience)
		defer cancel()
		return call(ctx)
	})
	if err != nil {
		return nil, err
	}
	return a.(*A), nil
}

// addressHeader of a call is which containerd it is for: a process that outlives agents may outlive a change of that, too.
const addressHeader = "roadstead-containerd"

// wholeCalls connects to the process that serves WholeCalls, nil if there is none.
func (c Config) wholeCalls() (*grpc.ClientConn, error) {
	if c.Whole == nil {
		return nil, nil
	}
	soon := grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 2, MaxDelay: 500 * time.Millisecond},
		MinConnectTimeout: 5 * time.Second, // without it a first connection has the 10 ms, and on a busy machine a call goes to containerd, where it can be cut short
	}
	conn, err := grpc.NewClient("passthrough:///whole", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(soon),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return c.Whole(ctx) }))
	if err != nil {
		return nil, fmt.Errorf("connect to the maker of tasks: %w", err)
	}
	return conn, nil
}

// makeTask has the task made by the process that outlives this one. Each try asks for somebody who reads: when a try is cut short its
// shim dies, which ends the streams, and the next one's would wait for a reader for ever.
func (r *Runtime) makeTask(ctx context.Context, q *tasksapi.CreateTaskRequest, listen func(context.Context) error) (*tasksapi.CreateTaskResponse, error) {
	return wholly(ctx, r, func(ctx context.Context, c tasksapi.TasksClient) (*tasksapi.CreateTaskResponse, error) {
		if err := listen(ctx); err != nil {
			return nil, err
		}
		return c.Create(ctx, q)
	})
}

// endTask does the same with the end of a task.
func (r *Runtime) endTask(ctx context.Context, cid string) error {
	_, err := wholly(ctx, r, func(ctx context.Context, c tasksapi.TasksClient) (*tasksapi.DeleteResponse, error) {
		return c.Delete(ctx, &tasksapi.DeleteTaskRequest{ContainerID: cid})
	})
	return err
}

// wholly calls containerd by way of the process that outlives this one, and calls it itself when there is none: it was killed
// just now, or is of a version that has no such calls.
func wholly[A any](ctx context.Context, r *Runtime, call func(context.Context, tasksapi.TasksClient) (*A, error)) (*A, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, addressHeader, r.cfg.Address)
	if r.whole != nil {
		a, err := call(ctx, tasksapi.NewTasksClient(r.whole))
		if err = native(err); !errdefs.IsUnavailable(err) {
			return a, err
		}
	}
	a, err := call(ctx, r.tasks)
	return a, native(err)
}

// native is an error of a call as containerd means it; others are as they were.
func native(err error) error {
	if _, ok := status.FromError(err); ok {
		return errgrpc.ToNative(err)
	}
	return err
}
