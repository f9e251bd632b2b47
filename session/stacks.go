package session

import (
	"sync"
	"time"
)

// stacks lends deep stacks: sessions mostly wait, and do so on small ones, but what they do needs more. A goroutine takes one
// job after the other while there are any, and goes when there has been none for a moment.
type stacks struct {
	jobs    chan func()
	closing chan struct{} // closed when nobody is to wait for jobs any more
	wg      sync.WaitGroup
}

// stackPatience is how long a goroutine waits for another job.
const stackPatience = time.Second

// start has a job done on a deep stack, and does not wait for it.
func (k *stacks) start(job func()) {
	select {
	case k.jobs <- job:
	default:
		k.wg.Go(func() { k.work(job) })
	}
}

func (k *stacks) work(job func()) {
	idle := time.NewTimer(stackPatience)
	defer idle.Stop()
	for {
		job()
		idle.Reset(stackPatience)
		select {
		case job = <-k.jobs:
		case <-idle.C:
			return
		case <-k.closing:
			return
		}
	}
}
