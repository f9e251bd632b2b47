package cli

import "testing"

func TestHeapGrowth(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		before          int
		allocated, live uint64
		want            int
	}{
		"nothing lives":       {100, 0, 0, 100},
		"busy":                {20, 400 * mib, 300 * mib, 100},
		"just busy":           {100, 20 * mib, 300 * mib, 100},
		"a load that is over": {100, 0, 300 * mib, 87},
		"idle":                {21, 0, 300 * mib, 20},
		"heartbeats":          {30, 4 * mib, 300 * mib, 26},
		"heartbeats of more":  {20, 8 * mib, 300 * mib, 40},
	} {
		if got := heapGrowth(c.before, c.allocated, c.live); got != c.want {
			t.Errorf("%s: %d %%, want %d", name, got, c.want)
		}
	}
	for n, growth := 0, mostGrowth; growth > leastGrowth; n++ { // it takes half a minute
		if growth = heapGrowth(growth, 0, 300*mib); n > 20 {
			t.Fatalf("still %d %%", growth)
		}
	}
}
