package definition_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// TestEveryFieldHasARow: docs/container-fields.md says of each member what becomes of it, and names tests that are there.
func TestEveryFieldHasARow(t *testing.T) {
	text, err := os.ReadFile("../docs/container-fields.md")
	if err != nil {
		t.Fatal(err)
	}
	section, rows := "", map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSpace(name)
		}
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || strings.HasPrefix(cells[1], "-") || strings.TrimSpace(cells[1]) == "member" {
			continue
		}
		member := strings.TrimSpace(cells[1])
		if rows[section+" "+member] {
			t.Errorf("%s: two rows for %s", section, member)
		}
		rows[section+" "+member] = true
		checkFieldRow(t, member, cells[2:6])
	}
	for section, kinds := range map[string]map[string]reflect.Type{
		"Task":      {"": reflect.TypeFor[ecs.RegisterTaskDefinitionInput]()},
		"Container": {"": reflect.TypeFor[types.ContainerDefinition]()},
		"Parts": {
			"linuxParameters.": reflect.TypeFor[types.LinuxParameters](), "portMappings.": reflect.TypeFor[types.PortMapping](),
			"volumes.": reflect.TypeFor[types.Volume](),
		},
	} {
		for prefix, kind := range kinds {
			for f := range kind.Fields() {
				if !f.IsExported() {
					continue
				}
				row := section + " " + prefix + strings.ToLower(f.Name[:1]) + f.Name[1:]
				if !rows[row] {
					t.Errorf("%s: no row for %s", section, row)
				}
				delete(rows, row)
			}
		}
	}
	for row := range rows {
		t.Errorf("there is no such member: %s", row)
	}
}

// checkFieldRow checks the cells after the member: what each launch type makes of it, how, and by which tests that is shown.
func checkFieldRow(t *testing.T, member string, cells []string) {
	t.Helper()
	for _, c := range cells[:2] {
		if !regexp.MustCompile(`^ (yes|register|run|place|start) $`).MatchString(c) {
			t.Errorf("%s: what does %q mean?", member, c)
		}
	}
	for name := range strings.SplitSeq(cells[3], ",") {
		dir, test, _ := strings.Cut(strings.TrimSpace(name), ":")
		if !testExists(t, dir, test) {
			t.Errorf("%s: there is no test %s in %s", member, test, dir)
		}
	}
}

func testExists(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if test != "" && strings.Contains(string(text), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
