package deployment_test

import (
	"fmt"
	"testing"

	"github.com/roadstead/roadstead/deployment"
)

// BenchmarkStep is one look at a service that has what it wants, and at one in the middle of an update.
func BenchmarkStep(b *testing.B) {
	for _, n := range []int32{1, 1000, 5000} {
		for _, updating := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/updating=%t", n, updating), func(b *testing.B) {
				w := newWorld(b)
				w.checked, w.service.Desired = true, n
				w.deploy("1")
				for range 3 {
					w.apply(deployment.Step(w.input()), first, everywhere)
					for _, t := range w.tasks {
						w.health(t, true)
					}
				}
				if updating {
					w.deploy("2")
					w.apply(deployment.Step(w.input()), first, everywhere)
					for _, t := range w.tasks[:len(w.tasks)*3/4] {
						w.health(t, true)
					}
				}
				in := w.input()
				b.ReportAllocs()
				for b.Loop() {
					deployment.Step(in)
				}
			})
		}
	}
}
