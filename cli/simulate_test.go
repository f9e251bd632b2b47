package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const smallSimulation = "../simulate/testdata/small.yaml"

func TestSimulate(t *testing.T) {
	stdout, stderr, code := run(t, "simulate", smallSimulation, "--what-if", "at 00:30 kill zone a; at 00:40 return zone a")
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d, %q", code, stderr)
	}
	for _, want := range []string{
		"\nwhat if: at 00:06 join 1 n\n", "\nwhat if: at 00:30 kill zone a; at 00:40 return zone a\n", "00:30:00.000  n1 dies with",
		"the same until then", "CPU given away", "tasks placed in",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestSimulateFlags(t *testing.T) {
	dir := t.TempDir()
	transcript := func(name string, more ...string) string {
		path := filepath.Join(dir, name)
		stdout, stderr, code := run(t, append([]string{"simulate", smallSimulation, "--quiet", "--transcript", path}, more...)...)
		if code != 0 || strings.Contains(stdout, "joins") {
			t.Fatalf("exit %d, %s, and printed\n%s", code, stderr, stdout)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	once := transcript("once")
	if again := transcript("again"); again != once || !strings.Contains(once, "web#1 is RUNNING") {
		t.Errorf("two transcripts differ, or say nothing:\n%s", once)
	}
	if other := transcript("seed", "--seed", "99"); other == once {
		t.Error("another seed changes nothing")
	}
	if cut := transcript("until", "--until", "7m"); strings.Contains(cut, "00:08:00") || !strings.Contains(cut, "00:05:00") {
		t.Errorf("until 7m:\n%s", cut)
	}
	stdout, _, _ := run(t, "simulate", smallSimulation, "--transcript", "-")
	if !strings.HasPrefix(stdout, strings.SplitAfter(once, "\n")[0]) || strings.Count(stdout, "web#1 is RUNNING") != 2 {
		t.Errorf("the transcript on standard output:\n%s", stdout)
	}
}

func TestSimulateRefuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, bytes.Repeat([]byte("seed: 1\n"), 2), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no such file": {[]string{"simulate", "absent.yaml"}, "absent.yaml: no such file"},
		"a bad file":   {[]string{"simulate", bad}, bad + ": line 2: "},
		"a bad event":  {[]string{"simulate", smallSimulation, "--what-if", "at 02:00 kill x1"}, "--what-if: event"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, stderr, code := run(t, c.args...); code != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, %q, want it to contain %q", code, stderr, c.want)
			}
		})
	}
}
