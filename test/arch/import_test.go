package arch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// side says on which machines a package runs.
type side int

const (
	both side = iota
	plane
	node
)

// place is where a package stands in the house (ARCHITECTURE.md).
type place struct {
	row  int
	side side
}

// house gives every package its place: by its own path, or by its folder with a "*".
func house() map[string]place {
	return map[string]place{
		"model": {0, both},

		"state": {1, plane},
		"query": {1, plane},
		"acs":   {1, both}, // the nouns of the wire between the two sides

		"wire": {2, both}, "auth": {2, both}, "definition": {2, both}, "client": {2, both}, "datachannel": {2, both},
		"scheduler": {2, plane}, "deployment": {2, plane}, "policy": {2, plane}, "expiry": {2, plane}, "registry": {2, plane}, "logstore": {2, plane}, "logquery": {2, plane}, "objectstore": {2, plane}, "metricstore": {2, plane}, "seal": {2, plane}, "oidc": {2, plane}, "keyring": {2, plane}, "recurrence": {2, plane},
		"proxy": {2, both}, "dns": {2, both},
		"agent/task": {2, node}, "agent/logdriver": {2, node},

		"controller": {3, plane}, "controller/*": {3, plane}, // its loops use the scheduler, and the driver knows none of them
		"session": {3, plane}, "exec": {3, plane}, "hooks": {3, plane}, "logforward": {3, plane}, "access": {3, plane}, "console": {3, plane}, "api/*": {3, plane},
		"agent/*": {3, node},

		"server": {4, plane}, "simulate": {4, plane}, "agent": {4, node},

		"cli": {5, both}, "sample": {5, both},
		"": {6, both}, // main
	}
}

// tools are packages outside the house: they serve tests or builds, and nothing in the house may import them.
func tools() []string {
	return []string{"test/*", "state/statetest", "agent/task/tasktest", "wire/gen"}
}

func isTool(pkg string) bool {
	return slices.ContainsFunc(tools(), func(t string) bool {
		folder, many := strings.CutSuffix(t, "/*")
		return pkg == t || many && strings.HasPrefix(pkg, folder+"/")
	})
}

func placeOf(pkg string) (place, bool) {
	if p, ok := house()[pkg]; ok {
		return p, true
	}
	p, ok := house()[path.Dir(pkg)+"/*"]
	return p, ok
}

// listed is a package as go list shows it, without its tests.
type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// ours returns the path within the module.
func ours(importPath string) (string, bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// A package imports only lower rows, never its own, and never across the wall between control plane and node.
func TestImportOnlyLowerRows(t *testing.T) {
	var breaches []breach
	for _, p := range packages(t) {
		pkg, _ := ours(p.ImportPath)
		if isTool(pkg) {
			continue
		}
		at, ok := placeOf(pkg)
		if !ok {
			t.Errorf("%s has no place in the house: give it one in import_test.go and in ARCHITECTURE.md", pkg)
			continue
		}
		for _, i := range p.Imports {
			if other, ok := ours(i); ok {
				if why := refuse(at, other); why != "" {
					breaches = append(breaches, breach{where: pkg, what: why})
				}
			}
		}
	}
	check(t, "import", breaches)
}

// refuse says why a package at a place must not import the other; "" if it may.
func refuse(at place, other string) string {
	to, ok := placeOf(other)
	switch {
	case isTool(other):
		return "imports " + other + ", which is a tool"
	case !ok:
		return "imports " + other + ", which has no place"
	case to.row >= at.row:
		return fmt.Sprintf("row %d imports %s of row %d", at.row, other, to.row)
	case at.row < 5 && to.side != both && at.side != to.side:
		return "imports " + other + " across the wall"
	}
	return ""
}

// Some things are known in one room only, tests apart.
func TestImportsThatBelongToOneRoom(t *testing.T) {
	rooms := map[string][]string{
		"go.etcd.io/":                             {"state"},
		"github.com/containerd/containerd/":       {"agent/runtime", "agent/image"},
		"github.com/aws/aws-sdk-go-v2/service/":   {"api/*", "wire", "wire/gen", "definition", "model", "simulate"},
		"github.com/distribution/distribution/":   {"registry"},
		"github.com/google/nftables":              {"agent/network"},
		"github.com/vishvananda/netlink":          {"agent/network"},
		"github.com/spf13/cobra":                  {"cli"},
		"github.com/prometheus/client_golang":     {"server"},
		"pgregory.net/rapid":                      {},
		"net/http/pprof":                          {"server"},
		"github.com/aws/aws-sdk-go-v2/aws/signer": {"client"},
	}
	for _, s := range sources(t) {
		if s.test || strings.HasPrefix(s.path, "test/") {
			continue
		}
		for _, i := range s.imports() {
			for prefix, allowed := range rooms {
				if strings.HasPrefix(i, prefix) && !slices.Contains(allowed, s.dir()) && !slices.Contains(allowed, path.Dir(s.dir())+"/*") {
					t.Errorf("%s imports %s, which only %v may", s.path, i, allowed)
				}
			}
		}
	}
}
