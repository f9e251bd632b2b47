package simulate

import (
	"container/heap"
	"time"
)

// alarm is something that happens at a time. Alarms of the same time go off in the order in which they were set.
type alarm struct {
	at    time.Duration
	stamp uint64
	do    func()
}

// alarms is a heap, soonest first.
type alarms []alarm

func (a alarms) Len() int { return len(a) }

func (a alarms) Less(i, j int) bool {
	if a[i].at != a[j].at {
		return a[i].at < a[j].at
	}
	return a[i].stamp < a[j].stamp
}

func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }

// Pop implements heap.Interface.
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	return x
}

// after lets something happen d from now. What would happen when the run is over is forgotten.
func (w *world) after(d time.Duration, do func()) {
	if d >= w.file.Until-w.now {
		return
	}
	w.stamps++
	heap.Push(&w.alarms, alarm{w.now + d, w.stamps, do})
}

// next moves the clock to the next alarm and takes it; false if there is none.
func (w *world) next() (do func(), ok bool) {
	if len(w.alarms) == 0 {
		return nil, false
	}
	a := heap.Pop(&w.alarms).(alarm)
	w.now = a.at
	return a.do, true
}
