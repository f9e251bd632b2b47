package arch_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/server"
)

// TestServedOperationsHaveScripts: no operation is served that no script of test/conformance calls.
func TestServedOperationsHaveScripts(t *testing.T) {
	called := calledByScripts(t)
	for _, s := range server.Counted() {
		for _, op := range s.Served() {
			if !called[strings.ToLower(s.Name()+" "+op)] {
				t.Errorf("no conformance script calls %s %s", s.Name(), op)
			}
		}
	}
	if called["ecs deletenothing"] || !called["ecs createcluster"] {
		t.Error("the scripts were not read as they are written")
	}
}

var (
	commandLine = regexp.MustCompile(`\b(?:aws|\$AWS|\$NEWAWS)(?: \$TO)? (?:--\S+ )*([a-z0-9-]+) ([a-z0-9-]+)`)
	signedCall  = regexp.MustCompile(`\b(?:call|await \S+ \S+)(?: -clock=\S+)? ([a-z0-9-]+) ([A-Z]\w+)`)
)

const scripts = "../conformance/testdata/"

// calledByScripts are "service operation" in lower case, of the command line and of signed calls.
func calledByScripts(t *testing.T) map[string]bool {
	called := map[string]bool{}
	err := fs.WalkDir(os.DirFS(scripts), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(scripts + path)
		for _, pattern := range []*regexp.Regexp{commandLine, signedCall} {
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				service := strings.TrimSuffix(m[1], "api") // aws s3api
				called[strings.ToLower(service+" "+strings.ReplaceAll(m[2], "-", ""))] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return called
}
