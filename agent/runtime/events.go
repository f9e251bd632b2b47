package runtime

import (
	"context"
	"errors"
	"sync"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/typeurl/v2"

	"github.com/roadstead/roadstead/agent/task"
)

// helloTopic marks the event that we send ourselves to learn that a subscription has begun: containerd does not say.
const helloTopic = "/roadstead/hello"

// Events implements task.Runtime. The first event is a Resync: exits before it are in List. Events waits up to two
// seconds for the subscription to begin. The channel closes after ctx has ended.
func (r *Runtime) Events(ctx context.Context) <-chan task.Event {
	out, begun := make(chan task.Event), make(chan struct{})
	go func() { // owned by ctx
		defer close(out)
		begin := sync.OnceFunc(func() { close(begun) })
		for wait := time.Duration(0); ctx.Err() == nil; {
			since := time.Now()
			err := r.subscribe(ctx, out, begin)
			if ctx.Err() != nil {
				return
			}
			if wait = min(2*wait+20*time.Millisecond, time.Second); time.Since(since) > 10*time.Second {
				wait = 0
			}
			r.cfg.Logger.Warn("containerd events ended, subscribing again", "err", err, "wait", wait)
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}()
	select {
	case <-begun:
	case <-ctx.Done():
	case <-time.After(2 * time.Second): // containerd is away: the Resync comes when it is back
	}
	return out
}

// subscribe forwards exits until the stream breaks, and calls begun when it carries events.
func (r *Runtime) subscribe(ctx context.Context, out chan<- task.Event, begun func()) error {
	ctx, cancel := context.WithCancel(r.in(ctx))
	defer cancel()
	envelopes, errs := r.client.Subscribe(ctx,
		`namespace==`+r.cfg.Namespace+`,topic=="/tasks/exit"`,
		`namespace==`+r.cfg.Namespace+`,topic=="`+helloTopic+`"`)
	hello := time.NewTicker(5 * time.Millisecond)
	defer hello.Stop()
	greeted := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-errs:
			if err == nil {
				err = errors.New("stream closed")
			}
			return err
		case <-hello.C:
			if err := r.client.EventService().Publish(ctx, helloTopic, &eventtypes.NamespaceUpdate{Name: r.cfg.Namespace}); err != nil {
				return err
			}
		case e := <-envelopes:
			switch {
			case e == nil:
				return errors.New("stream closed")
			case e.Topic != helloTopic:
				r.forward(ctx, out, e)
			case !greeted:
				greeted = true
				hello.Stop()
				begun()
				send(ctx, out, task.Event{Resync: true})
			}
		}
	}
}

func (r *Runtime) forward(ctx context.Context, out chan<- task.Event, e *events.Envelope) {
	v, err := typeurl.UnmarshalAny(e.Event)
	if err != nil {
		r.cfg.Logger.Warn("unreadable event", "topic", e.Topic, "err", err)
		return
	}
	exit, ok := v.(*eventtypes.TaskExit)
	if !ok || exit.ID != exit.ContainerID { // an exec's end is not the container's
		return
	}
	who, err := r.identify(ctx, exit.ContainerID)
	if err != nil { // being removed, or not ours
		return
	}
	if exit.Pid != 0 && who.pid != 0 && exit.Pid != who.pid { // what is left of a try to make it
		r.cfg.Logger.Info("the end of another process", "container", exit.ContainerID, "pid", exit.Pid, "is", who.pid)
		return
	}
	send(ctx, out, task.Event{
		ID: who.id, ExitCode: int32(exit.ExitStatus), FinishedAt: exit.ExitedAt.AsTime(),
		OOMKilled: r.oomKilled(who, exit.ExitStatus),
	})
}

func send(ctx context.Context, out chan<- task.Event, e task.Event) bool {
	select {
	case out <- e:
		return true
	case <-ctx.Done():
		return false
	}
}
