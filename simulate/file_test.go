package simulate_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/simulate"
)

// A mistake is told with its line and what was expected there.
func TestMistakesInFiles(t *testing.T) {
	const nodes = "nodes: {n: {cpu: 1024, memory: 1GiB}}\ntasks: {web: {memory: 512}}\n"
	tests := []struct{ name, file, want string }{
		{"empty", "", "the file is empty: expected nodes, tasks and events"},
		{"not YAML", "seed: 1\nuntil: a: b\n", "line 2: not YAML: mapping values are not allowed in this context"},
		{"not a mapping", "- a\n", "line 1: the file: expected a mapping such as {name: value}, not a list"},
		{"unknown member", "seed: 1\nnode: {}\n", `line 2: the file: "node": expected one of seed, until, clusters, providers, nodes, tasks, services, keep, events, what-if`},
		{"unknown member of nodes", "nodes:\n  n:\n    cpu: 1\n    zone: a\n", `line 4: nodes n: "zone": expected one of count, cluster, zones, cpu, memory, gpus, pool, attributes`},
		{"twice", "seed: 1\nseed: 2\n", `line 2: the file: "seed" stands here for the second time`},
		{"a list for a value", "until: [1h]\n", "line 1: expected a single value, not a list"},
		{"memory", "nodes:\n  n: {cpu: 1,\n    memory: 1TB}\n", `line 3: "1TB": expected an amount of memory such as 512 (MiB) or 16GiB`},
		{"no memory", "nodes:\n  n: {cpu: 1}\n", "line 2: nodes n: expected cpu (units, 1024 are one processor) and memory (such as 16GiB)"},
		{"a number", "nodes:\n  n: {cpu: 1, memory: 1, count: -1}\n", `line 2: "-1": expected a number from 0 to 100000`},
		{"a name", "tasks:\n  a b: {memory: 1}\n", `line 2: "a b": expected a name of letters, digits, - and _`},
		{"a node's name", "nodes:\n  n1: {cpu: 1, memory: 1}\n", "line 1: nodes n1: expected a name that does not end with a digit: its nodes are numbered"},
		{"a cluster", "clusters: [a, b]\nnodes: {n: {cpu: 1, memory: 1, cluster: c}}\n", `line 1: nodes n: cluster "c": expected one of a, b`},
		{"network", "tasks:\n  web: {memory: 1, network: overlay}\n", `line 2: "overlay": expected one of bridge, host, none, awsvpc`},
		{"port", "tasks:\n  web: {memory: 1, ports: [80,\n    0]}\n", `line 3: "0": expected a port such as 80 or 53/udp`},
		{"share", "tasks:\n  web: {memory: 1, fails: 120%}\n", `line 2: "120%": expected a share such as 1% or 0.01`},
		{"expression", "tasks:\n  web: {memory: 1, where: 'attribute:x ='}\n", `line 2: "attribute:x =": expected an expression of the cluster query language`},
		{"duration", "tasks:\n  web: {memory: 1, start: soon}\n", `line 2: "soon": expected a duration such as 90s, 1h30m or 2d`},
		{"spread", "tasks:\n  web: {memory: 1, start: 2s to 3s}\n", `line 2: "2s to 3s": expected 20s, 5s..20s, exp 10m, normal 10m 2m or forever`},
		{"spread backwards", "tasks:\n  web: {memory: 1, start: 9s..3s}\n", `line 2: "9s..3s": expected the shorter duration first`},
		{"events", nodes + "events: {}\n", "line 3: events: expected a list with lines such as - at 02:00 kill n2"},
		{"an event that is no text", nodes + "events:\n - {at: 1}\n", "line 4: event: expected a line of text such as at 02:00 kill n2, not a mapping"},
		{"time", nodes + "events:\n - at 2pm kill n1\n", `line 4: event "at 2pm kill n1": "2pm": expected a time such as 02:00, 26:30:15 or 90m`},
		{"minutes", nodes + "events:\n - at 02:61 kill n1\n", `line 4: event "at 02:61 kill n1": "02:61": expected a time such as 02:00 or 26:30:15`},
		{"no time", nodes + "events:\n - kill n1\n", `"kill": expected at TIME or every DURATION first`},
		{"verb", nodes + "events:\n - at 02:00 explode n1\n", `"explode": expected one of delete, deploy, deregister, drain, heal, join, kill, leader, partition, return, run, scale, stop, undrain`},
		{"node", nodes + "events:\n - at 02:00 kill m1\n", `"m1": expected a node such as n1, or zone Z, group G or random N`},
		{"no node", nodes + "events:\n - at 02:00 kill for 1h\n", "expected nodes such as n1 n2, zone Z, group G or random N"},
		{"zone", nodes + "events:\n - at 02:00 kill zone z\n", `"z": expected a zone in which there are nodes`},
		{"family", nodes + "events:\n - at 02:00 run 3 app\n", `"app": expected the family of a task definition`},
		{"option", nodes + "events:\n - at 02:00 run 3 web quickly\n", `"quickly": expected in, group, launch, on, spread, binpack, random, distinct, where or retry`},
		{"provider", nodes + "events:\n - at 02:00 run 3 web on spot\n", `"spot": expected one of FARGATE, FARGATE_SPOT`},
		{"too much", nodes + "events:\n - at 02:00 stop 3 web now\n", `"now": expected nothing more`},
		{"quote", nodes + "events:\n - 'at 02:00 run 3 web where \"x'\n", "expected a second double quote"},
		{"what-if", nodes + "what-if:\n - at 01:00 kill n1\n - at 01:00 drop n1\n", `line 5: event "at 01:00 drop n1": "drop": expected one of`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := simulate.Read(strings.NewReader(tt.file))
			if _, ok := errors.AsType[*simulate.FileError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

// What the API does not take is told before anything happens.
func TestFilesThatTheAPIRefuses(t *testing.T) {
	f, err := simulate.Read(strings.NewReader("tasks: {web: {cpu: 1, memory: 2}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Run(t.Context(), simulate.Options{}); err == nil || !strings.HasPrefix(err.Error(), "tasks web: ClientException: ") {
		t.Errorf("got %v", err)
	}
}

// An event more changes nothing that it does not touch: what is drawn for the others stays the same.
func TestWhatIfLeavesTheRestAlone(t *testing.T) {
	f, err := simulate.Read(strings.NewReader(`
until: 3h
nodes: {n: {count: 2, cpu: 8192, memory: 64GiB}, spare: {count: 1, zones: [z], cpu: 1024, memory: 1GiB}}
tasks: {web: {cpu: 64, memory: 64, start: 1s..1m, run: exp 20m, fails: 20%, where: "not(attribute:ecs.availability-zone == z)"}}
events: [every 10m run 5 web]
`))
	if err != nil {
		t.Fatal(err)
	}
	variant, err := f.WhatIf("at 01:00 kill spare1; at 02:00 return spare1")
	if err != nil {
		t.Fatal(err)
	}
	tasks := func(f *simulate.File) string {
		var full bytes.Buffer
		if _, err := f.Run(t.Context(), simulate.Options{Transcript: &full}); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for line := range strings.Lines(full.String()) {
			if !strings.Contains(line, "spare1") {
				out.WriteString(line)
			}
		}
		return out.String()
	}
	if a, b := tasks(f), tasks(variant); a != b || strings.Count(a, "\n") < 100 {
		t.Errorf("they differ: %s", firstDifference(a, b))
	}
	if len(f.Events) != 1 {
		t.Errorf("the file has %d events after the what-if", len(f.Events))
	}
}
