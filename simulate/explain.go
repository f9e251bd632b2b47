package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/roadstead/roadstead/model"
)

// explain sums failures up: how many nodes for which reason, and one of them in detail.
func (w *world) explain(fs []types.Failure) string {
	count, sample := map[string]int{}, map[string]string{}
	for i := range fs {
		reason := *fs[i].Reason
		if count[reason]++; count[reason] > 1 {
			continue
		}
		if n := w.nodeWithARN(fs[i].Arn); n != nil {
			sample[reason] = n.name
			if fs[i].Detail != nil {
				sample[reason] += ": " + *fs[i].Detail
			}
		}
	}
	reasons := slices.Collect(maps.Keys(count))
	slices.SortFunc(reasons, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	var out []string
	for _, r := range reasons {
		text := strings.TrimSuffix(r, ".")
		if s := sample[r]; s != "" {
			text += fmt.Sprintf(" on %s (%s)", amount(count[r], "node", "nodes"), s)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func (w *world) nodeWithARN(arn *string) *node {
	if arn == nil {
		return nil
	}
	_, path, _ := strings.Cut(*arn, "container-instance/")
	cluster, id, _ := strings.Cut(path, "/")
	return w.node[model.InstanceKey(home(), cluster, id)]
}

// tellAsked tells what came of asking for copies. A success that happens often is no news, nor is it that there still is no
// place.
func (w *world) tellAsked(n *wanted, placed map[*node]int, why string, led bool) {
	got := 0
	for _, k := range placed {
		got += k
	}
	if n.try > 1 && got == 0 && why == n.why {
		return
	}
	n.why = why
	var b strings.Builder
	b.WriteString(n.occasion.text)
	if n.try > 1 {
		fmt.Fprintf(&b, ", try %d", n.try)
	}
	b.WriteString(": ")
	waiting := placed[nil]
	delete(placed, nil)
	if waiting > 0 {
		fmt.Fprintf(&b, "%s for capacity, ", amount(waiting, "waits", "wait"))
	}
	fmt.Fprintf(&b, "%d placed", got-waiting)
	b.WriteString(w.where(placed))
	if left := len(n.jobs); left > 0 {
		fmt.Fprintf(&b, ", %d not: %s", left, why)
		switch {
		case !led:
			b.WriteString("; asked again when there is one")
		case n.retry > 0:
			fmt.Fprintf(&b, "; asked again every %s", short(n.retry))
		}
	}
	w.write(n.try > 1 && got > 0 || n.try == 1 && (!n.occasion.often || len(n.jobs) > 0), "%s", b.String())
}

// manyNodes is how many are named one by one.
const manyNodes = 6

// where says how many copies went where: by node if those are few, else by zone.
func (w *world) where(placed map[*node]int) string {
	if len(placed) == 0 {
		return ""
	}
	var parts []string
	if len(placed) <= manyNodes {
		for _, n := range slices.SortedFunc(maps.Keys(placed), func(a, b *node) int { return a.order - b.order }) {
			parts = append(parts, fmt.Sprintf("%s %d", n.name, placed[n]))
		}
		return " (" + strings.Join(parts, ", ") + ")"
	}
	zones := map[string]int{}
	for n, k := range placed {
		zones[n.zone] += k
	}
	for _, z := range slices.Sorted(maps.Keys(zones)) {
		parts = append(parts, fmt.Sprintf("zone %s %d", z, zones[z]))
	}
	return fmt.Sprintf(" on %d nodes (%s)", len(placed), strings.Join(parts, ", "))
}

// amount is a number with its noun or verb.
func amount(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
