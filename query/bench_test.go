package query_test

import (
	"testing"

	"github.com/roadstead/roadstead/query"
)

// BenchmarkMatch is what one instance costs in a list or a placement.
func BenchmarkMatch(b *testing.B) {
	for name, text := range map[string]string{
		"equals":   `attribute:stack == prod`,
		"in":       `attribute:ecs.availability-zone in [us-east-1c, us-east-1b, us-east-1a]`,
		"pattern":  `attribute:ecs.instance-type =~ t2.*`,
		"group":    `not(task:group == service:other)`,
		"compound": `attribute:stack == prod and (attribute:ecs.instance-type =~ t2.* or runningTasksCount < 2) and agentVersion >= 1.9.0`,
	} {
		b.Run(name, func(b *testing.B) {
			e, err := query.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			s := sample()
			b.ReportAllocs()
			for b.Loop() {
				e.Match(s)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := query.Parse(`attribute:stack == prod and attribute:ecs.instance-type =~ t2.* and agentVersion >= 1.9.0`); err != nil {
			b.Fatal(err)
		}
	}
}
