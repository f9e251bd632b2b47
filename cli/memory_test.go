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
		"idle":                {21, 0, 300 * mib, 20},
		"heartbeats":          {30, 1 * mib, 300 * mib, 29},
		"heartbeats of more":  {20, 2 * mib, 300 * mib, 40},
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
