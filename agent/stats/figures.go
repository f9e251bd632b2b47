package stats

import (
	"math"

	"github.com/roadstead/roadstead/acs"
)

const mib = 1 << 20

// figures sums up the last fresh samples. Rates need the sample before, so of the very first one nothing is said.
func figures(samples []Usage, fresh, cpus int) (c acs.ContainerMetrics, ok bool) {
	first := max(len(samples)-fresh, 1)
	if first >= len(samples) {
		return c, false
	}
	var cpu, memory, rx, tx floats
	var read, written counts
	var net [8]counts
	networked := true
	for i := first; i < len(samples); i++ {
		was, is := &samples[i-1], &samples[i]
		took := is.At.Sub(was.At)
		if took <= 0 {
			continue
		}
		cpu.add(100 * float64(grown(was.CPU, is.CPU)) / float64(took.Nanoseconds()) / float64(cpus))
		memory.add(math.Floor(float64(is.Memory) / mib))
		read.add(is.Read)
		written.add(is.Written)
		if was.Net == nil || is.Net == nil {
			networked = false
			continue
		}
		rx.add(float64(grown(was.Net.RxBytes, is.Net.RxBytes)) / took.Seconds())
		tx.add(float64(grown(was.Net.TxBytes, is.Net.TxBytes)) / took.Seconds())
		n := is.Net
		for i, v := range []uint64{n.RxBytes, n.RxDropped, n.RxErrors, n.RxPackets, n.TxBytes, n.TxDropped, n.TxErrors, n.TxPackets} {
			net[i].add(v)
		}
	}
	if cpu.set == nil {
		return c, false
	}
	c.CPU, c.Memory = cpu.set, memory.set
	c.Storage = &acs.StorageStats{Read: read.set, Written: written.set}
	if networked {
		c.Network = &acs.NetworkStats{
			RxBytes: net[0].set, RxDropped: net[1].set, RxErrors: net[2].set, RxPackets: net[3].set,
			TxBytes: net[4].set, TxDropped: net[5].set, TxErrors: net[6].set, TxPackets: net[7].set,
			RxBytesPerSecond: rx.set, TxBytesPerSecond: tx.set,
		}
	}
	return c, true
}

// grown is by how much a counter grew; one that is lower than it was began anew.
func grown(was, is uint64) uint64 {
	if is < was {
		return is
	}
	return is - was
}

// floats collects samples of something that goes up and down.
type floats struct{ set *acs.StatsSet }

func (f *floats) add(v float64) {
	if f.set == nil {
		f.set = &acs.StatsSet{Min: v, Max: v}
	}
	f.set.Min, f.set.Max = min(f.set.Min, v), max(f.set.Max, v)
	f.set.Sum += v
	f.set.SampleCount++
}

// counts collects samples of a counter.
type counts struct{ set *acs.CountSet }

func (c *counts) add(v uint64) {
	n := int64(min(v, math.MaxInt64))
	if c.set == nil {
		c.set = &acs.CountSet{Min: n, Max: n}
	}
	c.set.Min, c.set.Max = min(c.set.Min, n), max(c.set.Max, n)
	c.set.Sum += n
	c.set.SampleCount++
}
