package cli

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// A heap may grow by what is allocated in heapEvery before it is collected, within bounds: a control plane that was busy and
// is idle needs no room for as much garbage as it has rows, and collecting costs little where little is made. A small one that
// is busy gets busyRoom all the same: collecting sixty MiB eight times a second takes a sixth of its processor time.
const (
	heapEvery   = time.Minute
	giveEvery   = 20 * time.Second // at most: what is spare is given back to the machine
	heapSample  = 500 * time.Millisecond
	leastGrowth = 10  // percent
	goGrowth    = 100 // percent: Go's own
	mostGrowth  = 400 // percent
	busyRoom    = 160 << 20
	leastSpare  = 8 << 20 // bytes that are worth a collection
)

// Paced runs f, and meanwhile sets the collector's pace.
func Paced(ctx context.Context, f func(context.Context) error) error {
	pace, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { paceCollector(pace) })
	defer wg.Wait()
	defer stop()
	return f(ctx)
}

// paceCollector sets the collector's pace by the load until ctx ends. Where $GOGC says one, it is left alone.
func paceCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	defer debug.SetGCPercent(goGrowth)
	tick := time.NewTicker(heapSample)
	defer tick.Stop()
	heap, growth, given := readHeap(), goGrowth, time.Now()
	for {
		before := heap.allocated
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		heap = readHeap()
		if next := heapGrowth(growth, heap.allocated-before, heap.live); next != growth {
			growth = next
			debug.SetGCPercent(growth)
		}
		if time.Since(given) >= giveEvery && heap.spare(growth) > max(leastSpare, heap.live/16) {
			debug.FreeOSMemory()
			given = time.Now()
		}
	}
}

// heapState is what the runtime says of the heap, in bytes.
type heapState struct {
	allocated uint64 // since the process began
	live      uint64 // when it was last collected
	held      uint64 // of the machine's memory
	free      uint64 // of that, in no use
}

func readHeap() heapState {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(s)
	free := s[2].Value.Uint64()
	return heapState{s[0].Value.Uint64(), s[1].Value.Uint64(), free + s[3].Value.Uint64() + s[4].Value.Uint64(), free}
}

// spare is what can be given back of what a heap holds that is to grow by so many percent of what lives.
func (h heapState) spare(growth int) uint64 {
	wanted := h.live + h.live*uint64(growth)/100
	if h.held <= wanted {
		return 0
	}
	return min(h.free, h.held-wanted)
}

// heapGrowth is the percentage of live bytes by which the heap may grow, when it was so much before and so many bytes have been
// allocated in a heapSample. It rises at once, and falls slowly: load comes in bursts.
func heapGrowth(before int, allocated, live uint64) int {
	wanted := min(max(goGrowth, int(100*busyRoom/max(live, 1))), mostGrowth)
	if room := allocated * uint64(heapEvery/heapSample); 100*room < uint64(wanted)*live {
		wanted = max(leastGrowth, int(100*room/live))
	}
	return max(wanted, before-(before+31)/32)
}
