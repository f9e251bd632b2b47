package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// charts draws what happened over time.
func (r *Result) charts(b *strings.Builder) {
	const label = 18
	width := columns
	line := func(name string, series []float64, most float64, figures string) {
		fmt.Fprintf(b, "%s%s  %s\n", pad(name, label), pad(sparkline(series, most, width), width), figures)
	}
	end := hours(r.until)
	fmt.Fprintf(b, "%s%s%s  mean, most\n", pad("CPU given away", label), pad("00:00", width-len(end)), end)
	zones := slices.SortedFunc(slices.Values(r.zones), func(x, y *load) int { return strings.Compare(x.name, y.name) })
	for _, z := range zones {
		line("  zone "+z.name, ratio(z.cpu.gave.series(r.until), z.cpu.has.series(r.until)), 1, r.given(&z.cpu.gave, &z.cpu.has))
	}
	for _, n := range r.busiest(mostNodes) {
		used := n.ledger.gave.series(r.until)
		for i := range used {
			used[i] /= float64(n.group.CPU)
		}
		line("  "+n.name, used, 1, fmt.Sprintf("%s, %s", percent(n.ledger.gave.mean(r.until)/float64(n.group.CPU)), percent(slices.Max(used))))
	}
	if more := len(r.nodes) - mostNodes; more > 0 {
		fmt.Fprintf(b, "  and %s with less\n", amount(more, "node", "nodes"))
	}
	for _, c := range []struct {
		name string
		g    *gauge
	}{{"nodes connected", &r.all.nodes}, {"tasks RUNNING", &r.sums.running}, {"without a place", &r.sums.homeless}} {
		s := c.g.series(r.until)
		most := slices.Max(s)
		line(c.name, s, most, fmt.Sprintf("%.1f, %.1f", c.g.mean(r.until), most))
	}
}

// mostNodes is how many nodes have a line of their own.
const mostNodes = 5

// busiest returns up to limit nodes that have given away the most of their CPU.
func (r *Result) busiest(limit int) []*node {
	nodes := slices.Clone(r.nodes)
	slices.SortStableFunc(nodes, func(x, y *node) int {
		return cmp.Compare(y.ledger.gave.mean(r.until)/float64(y.group.CPU), x.ledger.gave.mean(r.until)/float64(x.group.CPU))
	})
	return nodes[:min(limit, len(nodes))]
}

// sparkline draws a series with one character for each value; most is as high as it gets.
func sparkline(series []float64, most float64, width int) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range series[:min(len(series), width)] {
		switch {
		case v <= 0 || most <= 0:
			b.WriteByte(' ')
		default:
			b.WriteRune(levels[min(int(v/most*float64(len(levels))), len(levels)-1)])
		}
	}
	return b.String()
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// hours writes the end of the time line: "24:00".
func hours(d time.Duration) string {
	m := int(d.Round(time.Minute).Minutes())
	return fmt.Sprintf("%02d:%02d", m/60, m%60)
}
