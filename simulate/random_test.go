package simulate_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/roadstead/roadstead/simulate"
)

// drawFile writes a random file: few and small nodes, so that they are full most of the time, and a lot that goes wrong.
func drawFile(t *rapid.T) string {
	var b strings.Builder
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	number := func(label string, from, to int) int { return rapid.IntRange(from, to).Draw(t, label) }
	time := func() string { return fmt.Sprintf("%02d:%02d", number("hour", 0, 2), number("minute", 0, 59)) }
	lasts := func() string { return pick("lasts", "", " for 30s", " for 2m", " for 7m", " for 1h") }
	fmt.Fprintf(&b, "seed: %d\nuntil: 3h\nkeep: %s\nclusters: [one, two]\nproviders: {p: {pool: p, waits: true}, q: {}}\nnodes:\n",
		number("seed", 0, 1000), pick("keep", "1m", "1h"))
	for _, group := range []string{"n", "m", "f"} {
		pool := pick("pool", "", ", pool: p", ", pool: q")
		if group == "f" {
			pool = ", pool: fargate"
		}
		fmt.Fprintf(&b, "  %s: {count: %d, cluster: %s, zones: [a, b], cpu: %d, memory: 4GiB, gpus: %d%s}\n", group, number("count", 0, 4),
			pick("cluster", "one", "two"), number("cpu", 1, 4)*512, number("gpus", 0, 2), pool)
	}
	b.WriteString("tasks:\n")
	for _, kind := range []string{"x", "y", "z"} {
		network := pick("network", "network: bridge, ports: [80]", "network: bridge", "network: awsvpc", "network: host, ports: [53/udp]")
		fmt.Fprintf(&b, "  %s: {cpu: 256, memory: 512, %s, gpus: %d, start: %s, run: %s, stop: %s, fails: %d%%, broken: %d%%}\n", kind, network,
			number("task's gpus", 0, 5)/5, pick("start", "0s", "1s..1m", "10m"), pick("run", append([]string{"forever", "exp 20m", "normal 1h 30m"}, map[bool][]string{true: {"0s"}}[kind == "z"]...)...), // services would start it every second
			pick("stop", "0s", "1s..30s"), number("fails", 0, 30), number("broken", 0, 30))
	}
	b.WriteString("services:\n")
	for _, name := range []string{"s", "t", "d"} {
		fmt.Fprintf(&b, "  %s: {task: %s, cluster: %s, desired: %d, daemon: %t, minimum: %d%%, maximum: %d%%, breaker: %s, rebalance: %t}\n", name, pick("service's task", "x", "y"),
			pick("cluster", "one", "two"), number("desired", 0, 8), name == "d", map[bool]int{true: 0, false: number("minimum", 0, 2) * 50}[name == "d"],
			map[bool]int{true: 100, false: number("maximum", 3, 4) * 50}[name == "d"], pick("breaker", "true", "false"), name == "t")
	}
	b.WriteString("events:\n")
	for range number("events", 1, 25) {
		node := pick("node", "n1", "n2 n3", "m1", "f1", "zone a", "group n", "random 2")
		what := pick("what", "run", "run", "run", "stop", "fault", "fault", "fault", "join", "leader", "service", "service")
		switch what {
		case "run":
			what = fmt.Sprintf("run %d %s in %s%s%s", number("tasks", 1, 30), pick("kind", "x", "y", "z"), pick("cluster", "one", "two"),
				pick("where", "", "", " on p", " on p:2 on q:1", " launch FARGATE", " spread zone binpack cpu", " spread host distinct", " random group g", ` where "attribute:ecs.availability-zone == a"`),
				pick("retry", "", "", " retry 10m"))
		case "stop":
			what = fmt.Sprintf("stop %s %s", pick("how many", "1", "5", "all"), pick("kind", "x", "y", "z"))
		case "fault":
			what = pick("fault", "kill", "partition", "drain") + " " + node + lasts()
			if number("other fault", 0, 3) == 0 {
				what = pick("undo", "return", "heal", "undrain", "deregister") + " " + node
			}
		case "join":
			what = fmt.Sprintf("join %d %s", number("nodes", 1, 2), pick("group", "n", "m", "f"))
		case "service":
			s := pick("service", "s", "t", "d")
			what = pick("change", fmt.Sprintf("scale %s to %d", s, number("desired", 0, 12)), "deploy "+s, "deploy "+s+" to "+pick("kind", "x", "y"), "deploy "+s+" to "+pick("kind", "x", "y"),
				"delete "+s)
		case "leader":
			what = "leader fails" + lasts()
		}
		if number("often", 0, 3) == 0 {
			fmt.Fprintf(&b, "  - every %dm from %s %s\n", number("every", 5, 90), time(), what)
		} else {
			fmt.Fprintf(&b, "  - at %s %s\n", time(), what)
		}
	}
	return b.String()
}

// Whatever happens: nothing is oversold, every task is accounted for, statuses only move forward, and at the end nodes and
// rows agree (MISSION F13). A second run goes the same way.
func TestInvariantsHoldInAnyScript(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawFile(t)
		run := func() *simulate.Result {
			f, err := simulate.Read(strings.NewReader(text))
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			var log strings.Builder
			r, err := f.Run(t.Context(), simulate.Options{Transcript: &log})
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			if len(r.Violations) > 0 {
				t.Fatalf("%s\n%s\nin\n%s", strings.Join(r.Violations, "\n"), log.String(), text)
			}
			return r
		}
		if a, b := run(), run(); a.Digest != b.Digest {
			t.Fatalf("two runs differ: %s and %s, of\n%s", a.Digest, b.Digest, text)
		}
	})
}
