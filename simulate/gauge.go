package simulate

import "time"

// columns is how many buckets a gauge has over a whole run: as many as a chart has columns.
const columns = 48

// gauge is a value over time.
type gauge struct {
	width   time.Duration // of a bucket
	value   int64
	since   time.Duration
	buckets []float64 // value times seconds
}

// add changes the value at a time.
func (g *gauge) add(now time.Duration, d int64) {
	if d != 0 {
		g.advance(now)
		g.value += d
	}
}

// advance fills the buckets up to a time.
func (g *gauge) advance(now time.Duration) {
	for g.since < now {
		i := int(g.since / g.width)
		end := min(now, time.Duration(i+1)*g.width)
		for len(g.buckets) <= i {
			g.buckets = append(g.buckets, 0)
		}
		g.buckets[i] += float64(g.value) * (end - g.since).Seconds()
		g.since = end
	}
}

// series is the mean of each bucket, up to a time.
func (g *gauge) series(until time.Duration) []float64 {
	g.advance(until)
	out := make([]float64, len(g.buckets))
	for i, sum := range g.buckets {
		lasted := min(until, time.Duration(i+1)*g.width) - time.Duration(i)*g.width
		out[i] = sum / lasted.Seconds()
	}
	return out
}

// mean is that of the time up to now.
func (g *gauge) mean(until time.Duration) float64 {
	g.advance(until)
	sum := 0.0
	for _, b := range g.buckets {
		sum += b
	}
	return sum / until.Seconds()
}

// ratio is one series by another, 0 where there is nothing to divide by.
func ratio(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		if i < len(b) && b[i] > 0 {
			out[i] = a[i] / b[i]
		}
	}
	return out
}
