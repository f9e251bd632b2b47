package simulate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/simulate"
)

// day is a file of many nodes and tasks: so many are asked for at once, then so many each minute, and each lives an hour.
func day(nodes, first, each int) string {
	return fmt.Sprintf(`
until: 24h
nodes:
  n: {count: %d, zones: [a, b, c], cpu: 16384, memory: 64GiB}
tasks:
  web: {cpu: 256, memory: 512, start: 2s..20s, run: exp 1h, fails: 1%%}
events:
  - at 00:00 run %d web spread zone
  - every 1m from 00:01 run %d web spread zone binpack cpu
  - every 1h run 10 web where "attribute:ecs.availability-zone == a"
  - every 2h from 01:00 kill random 1 for 20m
  - at 12:00 leader fails for 10s
`, nodes, first, each)
}

// BenchmarkDay plays 24 hours. The first row is 10,000 tasks in all; the second 10,000 at any time, each of which lives an
// hour, so that 240,000 come and go.
func BenchmarkDay(b *testing.B) {
	for _, bench := range []struct {
		name               string
		nodes, first, each int
	}{{"tasks=10k", 100, 1120, 6}, {"standing=10k", 200, 10_000, 160}} {
		b.Run(bench.name, func(b *testing.B) {
			f, err := simulate.Read(strings.NewReader(day(bench.nodes, bench.first, bench.each)))
			if err != nil {
				b.Fatal(err)
			}
			placed := 0
			for b.Loop() {
				r, err := f.Run(b.Context(), simulate.Options{})
				if err != nil || len(r.Violations) > 0 {
					b.Fatal(err, r.Violations)
				}
				placed += r.Placed
			}
			b.ReportMetric(float64(placed)/float64(b.N), "tasks")
			b.ReportMetric(float64(placed)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}
