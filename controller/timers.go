package controller

import "container/heap"

// timers is a heap of the waiting entries, soonest first; equal ones in the order in which they were set.
type timers []*entry

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].stamp < t[j].stamp
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].timer, t[j].timer = i, j
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	e := x.(*entry)
	e.timer = len(*t)
	*t = append(*t, e)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := len(*t) - 1
	e := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	e.timer = -1
	return e
}

// drop removes the entry if it is there.
func (t *timers) drop(e *entry) {
	if e.timer >= 0 {
		heap.Remove(t, e.timer)
	}
}
