package definition_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/roadstead/roadstead/definition"
)

// TestEveryFargateSize registers all 74 sizes and their neighbours: what lies beside and between them is refused, in AWS's
// words (SEMANTICS §4.2; MISSION row 41) [O].
func TestEveryFargateSize(t *testing.T) {
	span := func(lo, hi, step int) (out []int) {
		for m := lo; m <= hi; m += step {
			out = append(out, m)
		}
		return out
	}
	accepted, refused := 0, 0
	for cpu, memories := range map[int][]int{
		256: {512, 1024, 2048}, 512: span(1024, 4096, 1024), 1024: span(2048, 8192, 1024), 2048: span(4096, 16384, 1024),
		4096: span(8192, 30720, 1024), 8192: span(16384, 61440, 4096), 16384: span(32768, 122880, 8192),
	} {
		for _, memory := range memories {
			accepted++
			for _, near := range []int{memory, memory - 1, memory + 1, memory - 512, memory + 512, memory - 1024, memory + 1024, memory - 4096, memory + 4096, memory - 8192, memory + 8192} {
				if near < 64 {
					continue // less than the container of the test asks for
				}
				_, err := definition.Normalize(input(t, task(fmt.Sprintf(`"requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"%d","memory":"%d"`, cpu, near), "")))
				if slices.Contains(memories, near) {
					if err != nil {
						t.Errorf("%d CPU and %d memory: %v", cpu, near, err)
					}
					continue
				}
				refused++
				wantError(t, err, client+fmt.Sprintf("No Fargate configuration exists for given values: %d CPU, %d memory.", cpu, near))
			}
		}
	}
	if accepted != 74 {
		t.Errorf("the table has %d sizes, not 74", accepted)
	}
	for _, cpu := range []int{128, 255, 257, 768, 3072, 8191, 32768} {
		_, err := definition.Normalize(input(t, task(fmt.Sprintf(`"requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"%d","memory":"2048"`, cpu), "")))
		wantError(t, err, client+fmt.Sprintf("No Fargate configuration exists for given values: %d CPU, 2048 memory.", cpu))
	}
	t.Logf("%d sizes accepted, %d neighbours refused", accepted, refused)
}
