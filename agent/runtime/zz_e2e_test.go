//go:build e2e

package runtime_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

func TestZZ(t *testing.T) {
	e := newEnv(t)
	e.pull(t)
	n, tidy := newNetwork(t)
	defer tidy()
	raw := rawContender(t, e)
	mk := func(seccomp, net, log, host bool) contender {
		o := oursContender(e, n)
		return contender{start: func(id string) error {
			ctx := context.Background()
			s := e.spec(id, "")
			s.Container.Command = []string{"/bin/sleep", "1000"}
			s.Container.CPU, s.Container.Memory = 128, 64
			if !seccomp {
				s.HostConfig.SecurityOpt = []string{"seccomp=unconfined"}
			}
			if !log {
				s.LogPath = ""
			}
			if net {
				var err error
				s.Sandbox, err = n.Setup(ctx, task.SandboxRequest{TaskID: s.TaskID, Container: s.Name, Mode: "bridge", Ports: []acs.PortMapping{{ContainerPort: 80}}})
				if err != nil {
					return err
				}
			} else if host {
				s.Sandbox.Mode = "host"
			}
			if err := e.rt.Create(ctx, s); err != nil {
				return err
			}
			_, err := e.rt.Start(ctx, id)
			return err
		}, stop: o.stop}
	}
	vs := []struct {
		n string
		c contender
	}{{"raw", raw}, {"full", mk(true, true, true, false)}, {"noseccomp", mk(false, true, true, false)}, {"nonet(none)", mk(true, false, true, false)}, {"nolog", mk(true, true, false, false)}, {"host", mk(false, false, true, true)}}
	spent := make([]time.Duration, len(vs))
	const per = 32
	for b := range 3 {
		for k, v := range vs {
			var next atomic.Int64
			var wg sync.WaitGroup
			began := time.Now()
			for range 8 {
				wg.Go(func() {
					for i := next.Add(1); i <= per; i = next.Add(1) {
						if err := v.c.start(fmt.Sprintf("z-%d-%d-%d", k, b, i)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			spent[k] += time.Since(began)
			for i := range per {
				v.c.stop(fmt.Sprintf("z-%d-%d-%d", k, b, i+1))
			}
		}
	}
	for k, v := range vs {
		fmt.Printf("%s %.1f/s\n", v.n, 3*per/spent[k].Seconds())
	}
}
