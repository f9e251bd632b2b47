package session

import (
	"sync"
	"time"
)

// crew lends stacks: sessions mostly wait, and do so on small ones, but what they do needs deep ones. A goroutine of the crew
// takes one job after the other while there are any, and goes when there has been none for a moment.
type crew struct {
	jobs    chan func()
	closing chan struct{} // closed when nobody is to wait for jobs any more
	wg      sync.WaitGroup
}

// crewPatience is how long a goroutine of the crew waits for another job.
const crewPatience = time.Second

// do has a goroutine of the crew run f, and returns what it returns.
func (c *crew) do(f func() error) error {
	done := make(chan error, 1)
	job := func() { done <- f() }
	select {
	case c.jobs <- job:
	default:
		c.wg.Go(func() { c.work(job) })
	}
	return <-done
}

func (c *crew) work(job func()) {
	idle := time.NewTimer(crewPatience)
	defer idle.Stop()
	for {
		job()
		idle.Reset(crewPatience)
		select {
		case job = <-c.jobs:
		case <-idle.C:
			return
		case <-c.closing:
			return
		}
	}
}
