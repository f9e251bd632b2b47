package simulate

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Column is a result with its heading.
type Column struct {
	Title string
	*Result
}

// Report writes the summaries of runs side by side, and below them the charts of each.
func Report(out io.Writer, columns ...Column) error {
	var b strings.Builder
	b.WriteString("\n")
	for _, line := range align(table(columns)) {
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for _, c := range columns {
		b.WriteString("\n")
		if len(columns) > 1 {
			fmt.Fprintf(&b, "%s\n", c.Title)
		}
		c.charts(&b)
		for _, v := range c.Violations {
			fmt.Fprintf(&b, "VIOLATION %s\n", v)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// table is the summary: a row for each figure, a cell for each run.
func table(columns []Column) [][]string {
	var rows [][]string
	row := func(label string, cell func(*Result) string) {
		cells := []string{label}
		for _, c := range columns {
			cells = append(cells, cell(c.Result))
		}
		rows = append(rows, cells)
	}
	count := func(label string, n func(*Result) int) {
		row(label, func(r *Result) string { return thousands(n(r)) })
	}
	rare := func(label string, n func(*Result) int) {
		if slices.ContainsFunc(columns, func(c Column) bool { return n(c.Result) > 0 }) {
			count(label, n)
		}
	}
	head := []string{""}
	for _, c := range columns {
		head = append(head, c.Title)
	}
	if len(columns) > 1 {
		rows = append(rows, head)
	}
	count("tasks asked for", func(r *Result) int { return r.sums.asked })
	count("  placed", func(r *Result) int { return r.sums.placed })
	count("  finished", func(r *Result) int { return r.sums.finished })
	count("  failed: exit code not 0", func(r *Result) int { return r.sums.failed })
	count("  could not start", func(r *Result) int { return r.sums.broken })
	count("  stopped on request", func(r *Result) int { return r.sums.stopped })
	count("  lost with their node", func(r *Result) int { return r.sums.lost })
	count("  refused: no place", func(r *Result) int { return r.sums.refused })
	rare("  waited in vain", func(r *Result) int { return r.sums.givenUp })
	rare("  left without a place", func(r *Result) int { return r.left.asked + r.left.waiting })
	rare("  left starting", func(r *Result) int { return r.left.starting })
	rare("  left running", func(r *Result) int { return r.left.running })
	rare("  left stopping", func(r *Result) int { return r.left.stopping })
	row("wait for a place: p50, p99, most", func(r *Result) string { return waits(r.sums.places) })
	row("order to RUNNING: p50, p99, most", func(r *Result) string { return waits(r.sums.starts) })
	row("CPU given away: mean, most", func(r *Result) string { return r.given(&r.all.cpu.gave, &r.all.cpu.has) })
	row("memory given away: mean, most", func(r *Result) string { return r.given(&r.all.memory.gave, &r.all.memory.has) })
	row("nodes connected: mean, least", func(r *Result) string {
		return fmt.Sprintf("%.1f, %.1f", r.all.nodes.mean(r.until), slices.Min(r.all.nodes.series(r.until)))
	})
	row("invariants", func(r *Result) string {
		if len(r.Violations) > 0 {
			return "VIOLATED"
		}
		return "hold"
	})
	row("transcript", func(r *Result) string { return r.Digest })
	return rows
}

// align makes columns of cells, the first to the left and the others to the right.
func align(rows [][]string) []string {
	var width []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	out := make([]string, len(rows))
	for i, r := range rows {
		for n, c := range r {
			pad := strings.Repeat(" ", width[n]-utf8.RuneCountInString(c))
			if n == 0 {
				out[i] += c + pad
			} else {
				out[i] += "   " + pad + c
			}
		}
	}
	return out
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// waits are the median, the 99th percentile and the longest of sorted durations.
func waits(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "-"
	}
	rank := func(percent int) time.Duration { return sorted[(len(sorted)*percent+99)/100-1] }
	return fmt.Sprintf("%s, %s, %s", short(rank(50)), short(rank(99)), short(sorted[len(sorted)-1]))
}

// short writes a duration with as much precision as matters: "20m1s", "2h".
func short(d time.Duration) string {
	if d < time.Minute {
		return d.Round(10 * time.Millisecond).String()
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}

// given is how much of what there was has been given away.
func (r *Result) given(gave, has *gauge) string {
	mean := ratio([]float64{gave.mean(r.until)}, []float64{has.mean(r.until)})[0]
	return fmt.Sprintf("%s, %s", percent(mean), percent(slices.Max(ratio(gave.series(r.until), has.series(r.until)))))
}

func percent(f float64) string { return fmt.Sprintf("%.0f %%", 100*f) }
