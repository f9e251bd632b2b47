package cli

import (
	"strings"
	"testing"

	"github.com/roadstead/roadstead/agent"
)

// The doctor says what it found, what became of it, and what to do next.
func TestDiagnosis(t *testing.T) {
	shim, sandbox, mount := agent.Leak{Kind: "shim", Name: "17 containerd-shim"}, agent.Leak{Kind: "sandbox", Name: "t1.json"}, agent.Leak{Kind: "mount", Name: "/m"}
	all := []agent.Leak{shim, mount, sandbox}
	for name, c := range map[string]struct {
		d        agent.Diagnosis
		repaired bool
		clean    bool
		want     string
	}{
		"clean": {agent.Diagnosis{Node: "n", Running: true, Tasks: 3}, true, true,
			"Node n: its agent runs; it has 3 tasks.\nNothing is there that no task explains.\n"},
		"found": {agent.Diagnosis{Node: "n", Leaks: all}, false, false,
			"Node n: no agent runs; it has 0 tasks.\nLEAK     NAME\nshim     17 containerd-shim\nmount    /m\nsandbox  t1.json\n3 leaks. Remove them with --repair.\n"},
		"repaired": {agent.Diagnosis{Node: "n", Leaks: all[:1]}, true, true,
			"Node n: no agent runs; it has 0 tasks.\nLEAK  NAME\nshim  17 containerd-shim  removed\n1 leaks, 0 left.\n"},
		"not all": {agent.Diagnosis{Node: "n", Running: true, Leaks: all, Left: all[1:]}, true, false,
			"Node n: its agent runs; it has 0 tasks.\nLEAK     NAME\nshim     17 containerd-shim  removed\nmount    /m                  STILL THERE\n" +
				"sandbox  t1.json             left to the agent, which releases it\n3 leaks, 2 left.\n"},
	} {
		var out strings.Builder
		if clean := printDiagnosis(c.d, c.repaired, &out); clean != c.clean || out.String() != c.want {
			t.Errorf("%s: clean %v, says\n%s\nwant\n%s", name, clean, out.String(), c.want)
		}
	}
}
