package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/server"
)

// Each operation of these services is called by a conformance script in its own name: "call logs PutLogEvents", or as the command line
// has it, "aws logs put-log-events".
func TestConformanceCallsEveryOperation(t *testing.T) {
	scripts, err := filepath.Glob("../test/conformance/testdata/*/*.txtar")
	ok(t, err)
	var all strings.Builder
	for _, path := range scripts {
		b, err := os.ReadFile(path)
		ok(t, err)
		all.Write(b)
	}
	commands := map[string]string{"logs": "logs", "s3": "s3api"}
	found := 0
	for _, s := range server.Counted() {
		command, checked := commands[s.Name()]
		if !checked {
			continue
		}
		found++
		for _, op := range s.Served() {
			kebab := strings.ToLower(regexp.MustCompile("([a-z0-9])([A-Z])").ReplaceAllString(op, "$1-$2"))
			line := regexp.MustCompile(`(?m)(call ` + s.Name() + ` ` + op + `|aws ` + command + ` ` + kebab + `)( |$)`)
			if !line.MatchString(all.String()) {
				t.Errorf("no script calls %s of %s", op, s.Name())
			}
		}
	}
	if found != len(commands) {
		t.Errorf("%d of %d services are served", found, len(commands))
	}
}
