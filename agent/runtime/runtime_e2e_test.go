//go:build e2e

package runtime_test

import (
	"testing"
	"time"
)

func TestLifeOfAContainer(t *testing.T) {
	e := newEnv(t)
	spec := e.spec("life", "echo out; echo err >&2; exit 7")
	code, out := e.output(t, spec)
	if code != 7 {
		t.Errorf("exit %d, want 7", code)
	}
	t.Logf("%q", out)
	must(t, e.rt.Delete(within(t, time.Minute), "life"))
	e.leftovers(t)
}
