package arch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRowsNameTests: docs/rows.md says what each row of the mission is shown by, and what it names is there.
func TestRowsNameTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/rows.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.HasPrefix(line, "| row |") {
			continue
		}
		if len(cells) != 6 {
			t.Errorf("%d cells in %s", len(cells)-2, line)
			continue
		}
		row := strings.TrimSpace(cells[1])
		if rows[row] {
			t.Errorf("two lines for row %s", row)
		}
		rows[row] = true
		for name := range strings.SplitSeq(cells[3], ";") {
			if why := missing(strings.TrimSpace(name)); why != "" {
				t.Errorf("row %s: %s", row, why)
			}
		}
	}
	if len(rows) < 40 {
		t.Errorf("only %d rows were read", len(rows))
	}
	for _, wrong := range []string{"test/e2e:TestNothing", "test/e2e:TestTask/no such case", "test/conformance/testdata/none.txtar", ""} {
		if missing(wrong) == "" {
			t.Errorf("%q counts as a test", wrong)
		}
	}
}

// missing says what is not there of a test, by DIR:TEST, DIR:TEST/CASE or the path of a script; "" if it is there.
func missing(name string) string {
	if strings.HasSuffix(name, ".txtar") {
		if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
			return "there is no script " + name
		}
		return ""
	}
	dir, test, _ := strings.Cut(name, ":")
	test, inside, _ := strings.Cut(test, "/")
	files, _ := filepath.Glob(filepath.Join("../..", dir, "*_test.go")) // the pattern is well-formed
	hasTest, hasCase := false, inside == ""
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return err.Error()
		}
		if test != "" && strings.Contains(string(text), "\nfunc "+test+"(") {
			hasTest = true
			hasCase = hasCase || strings.Contains(string(text), `"`+inside+`"`)
		}
	}
	switch {
	case !hasTest:
		return "there is no test " + test + " in " + dir
	case !hasCase:
		return "there is no case " + inside + " beside " + test + " in " + dir
	}
	return ""
}
