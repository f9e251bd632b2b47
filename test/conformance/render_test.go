//go:build e2e

package conformance_test

import (
	"encoding/json"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdRender writes the task definition in the last stdout as the GitHub actions do that render and deploy it: another image in
// one container, without its read-only members, and without members that are null or empty, however deep: render CONTAINER
// IMAGE FILE.
func cmdRender(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: render CONTAINER IMAGE FILE")
	}
	d, _ := pick(lastJSON(ts), "taskDefinition")
	m, ok := d.(map[string]any)
	if !ok {
		ts.Fatalf("the last stdout has no taskDefinition")
	}
	found := false
	containers, _ := m["containerDefinitions"].([]any)
	for _, c := range containers {
		if c := c.(map[string]any); c["name"] == args[0] {
			c["image"], found = args[1], true
		}
	}
	if !found {
		ts.Fatalf("the task definition has no container %s", args[0])
	}
	for _, name := range readOnly {
		delete(m, name)
	}
	b, err := json.MarshalIndent(pruned(m), "", "  ")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o600))
}

// pruned is the value without what is null or empty in it, nil if nothing is left.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			if v[name] = pruned(x); v[name] == nil {
				delete(v, name)
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		var out []any
		for _, x := range v {
			if x = pruned(x); x != nil {
				out = append(out, x)
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case string:
		if v == "" {
			return nil
		}
	}
	return v
}
