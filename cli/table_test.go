package cli

import (
	"strings"
	"testing"
)

// A table has room on every screen: first ids are cut to what tells them apart, then columns go, the least wanted first.
func TestTablesFitTheScreen(t *testing.T) {
	for width, want := range map[int]string{
		0: `
ID                NAME  STATE    NOTE
0123456789abcdef  web   RUNNING  a long story that nobody has to measure
0123456789abcxyz  db    STOPPED  -
0123456789ffffff  -     nothing is known of it
`,
		36: `
ID              NAME  STATE    NOTE
0123456789abcd  web   RUNNING  a long story that nobody has to measure
0123456789abcx  db    STOPPED  -
0123456789ffff  -     nothing is known of it
`,
		30: `
ID              STATE    NOTE
0123456789abcd  RUNNING  a long story that nobody has to measure
0123456789abcx  STOPPED  -
0123456789ffff  nothing is known of it
(no room for NAME: widen the terminal, or pipe this)
`,
		1: `
ID              NOTE
0123456789abcd  a long story that nobody has to measure
0123456789abcx  -
0123456789ffff
(no room for NAME, STATE: widen the terminal, or pipe this)
`,
	} {
		w := table{columns: []column{{title: "ID", ids: true}, {title: "NAME", yields: 2}, {title: "STATE", yields: 1}, {title: "NOTE", loose: true}}}
		w.add("0123456789abcdef", "web", "RUNNING", "a long story that nobody has to measure")
		w.add("0123456789abcxyz", "db", "STOPPED", "-")
		w.add("0123456789ffffff", "-", "nothing is known of it")
		var out strings.Builder
		if err := w.print(&out, width); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + out.String(); got != want {
			t.Errorf("width %d: got:%swant:%s", width, got, want)
		}
	}
}

// Tasks that were made in the same millisecond begin with the same twelve digits.
func TestIDsThatAreCutStayDifferent(t *testing.T) {
	for want, ids := range map[int][]string{
		12: {"0123456789abcdef", "1123456789abcdef"},
		14: {"0123456789abc0ef", "0123456789abcdef"},
		16: {"0123456789abcde0", "0123456789abcdef", "0123456789abcde"},
	} {
		all := map[string]bool{}
		for _, id := range ids {
			all[id] = true
		}
		if got := apart(all); got != want {
			t.Errorf("%v are told apart by %d digits, not %d", ids, got, want)
		}
	}
}
