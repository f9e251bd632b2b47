//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// What all tests share, set once before the first of them.
var (
	binary string // roadstead
	probe  string // the program in our images
)

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the end-to-end tests need root: skipped")
		os.Exit(0)
	}
	dir, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// prepare builds the probe and takes a copy of the binary, which a build during the tests must not replace.
func prepare() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "roadstead-e2e-"); err != nil {
		return "", err
	}
	from := os.Getenv("ROADSTEAD_BIN")
	if from == "" {
		from = "../../bin/roadstead"
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return dir, fmt.Errorf("read the binary to test (ROADSTEAD_BIN): %w", err)
	}
	binary, probe = filepath.Join(dir, "roadstead"), filepath.Join(dir, "probe")
	if err := os.WriteFile(binary, b, 0o755); err != nil {
		return dir, err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", probe, "../probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	return dir, nil
}
