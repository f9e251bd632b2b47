package cli

import "testing"

func TestHeapGrowth(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		before          int
		allocated, live uint64
		want            int
	}{
		"nothing lives":       {100, 0, 0, 400},
		"busy":                {20, 400 * mib, 300 * mib, 100},
		"busy and small":      {20, 400 * mib, 80 * mib, 200},
		"busy and tiny":       {20, 400 * mib, 10 * mib, 400},
		"small and idle":      {100, 0, 80 * mib, 96},
		"just busy":           {100, 5 * mib, 300 * mib, 100},
		"a load that is over": {100, 0, 300 * mib, 96},
		"idle":                {11, 0, 300 * mib, 10},
		"heartbeats":          {41, 1 * mib, 300 * mib, 40},
		"heartbeats of more":  {10, 2 * mib, 300 * mib, 80},
	} {
		if got := heapGrowth(c.before, c.allocated, c.live); got != c.want {
			t.Errorf("%s: %d %%, want %d", name, got, c.want)
		}
	}
	for n, growth := 0, mostGrowth; growth > leastGrowth; n++ { // it takes a minute
		if growth = heapGrowth(growth, 0, 300*mib); n > 150 {
			t.Fatalf("still %d %%", growth)
		}
	}
}

func TestHeapSpare(t *testing.T) {
	for name, c := range map[string]struct {
		heap   heapState
		growth int
		want   uint64
	}{
		"as it should be":          {heapState{live: 300, held: 360, free: 30}, 20, 0},
		"less than it may have":    {heapState{live: 300, held: 310, free: 5}, 20, 0},
		"after a load":             {heapState{live: 300, held: 600, free: 280}, 20, 240},
		"of a load that goes on":   {heapState{live: 300, held: 600, free: 280}, 100, 0},
		"in use, though not alive": {heapState{live: 300, held: 600, free: 40}, 20, 40},
	} {
		if got := c.heap.spare(c.growth); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
