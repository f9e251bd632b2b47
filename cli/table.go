package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// leastID is how much of an id is shown at least: the time that a task's id begins with.
const leastID = 12

// table is what a command shows in columns. Who pipes it gets all of it. At a terminal without the room, ids are cut to what tells
// them apart, then columns are left out, and named below.
type table struct {
	columns []column
	rows    [][]string // one that is shorter than the columns says something else with its last cell
}

// column is one of a table.
type column struct {
	title  string
	yields int  // those with more go first; those with 0 stay
	ids    bool // cut if need be
	loose  bool // may run over the edge: its text is long anyway
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print prints the table for a screen of so many columns, 0 for one without an edge.
func (t *table) print(out io.Writer, width int) error {
	keep := make([]int, len(t.columns))
	for i := range keep {
		keep[i] = i
	}
	if width > 0 && t.width(keep) > width {
		t.cut()
	}
	var gone []string
	for width > 0 && t.width(keep) > width {
		most := 0
		for i, k := range keep {
			if t.columns[k].yields >= t.columns[keep[most]].yields {
				most = i
			}
		}
		if t.columns[keep[most]].yields == 0 {
			break
		}
		gone = append(gone, t.columns[keep[most]].title)
		keep = slices.Delete(keep, most, most+1)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var titles []string
	for _, c := range t.columns {
		titles = append(titles, c.title)
	}
	for _, row := range append([][]string{titles}, t.rows...) {
		var cells []string
		for _, k := range keep {
			if k < len(row) {
				cells = append(cells, row[k])
			}
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if err := w.Flush(); err != nil || len(gone) == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "(no room for %s: widen the terminal, or pipe this)\n", strings.Join(gone, ", "))
	return err
}

// width is how many columns of the screen the kept ones take.
func (t *table) width(keep []int) int {
	sum := -2
	for _, k := range keep {
		widest := utf8.RuneCountInString(t.columns[k].title)
		for _, row := range t.rows {
			if k < len(row) && !t.columns[k].loose && (k < len(row)-1 || len(row) == len(t.columns)) {
				widest = max(widest, utf8.RuneCountInString(row[k]))
			}
		}
		sum += widest + 2
	}
	return sum
}

// cut leaves of ids what tells those of a column apart.
func (t *table) cut() {
	for k, c := range t.columns {
		if !c.ids {
			continue
		}
		ids := map[string]bool{}
		for _, row := range t.rows {
			ids[row[k]] = true
		}
		n := apart(ids)
		for _, row := range t.rows {
			row[k] = row[k][:min(n, len(row[k]))]
		}
	}
}

// apart is how many digits tell ids apart, leastID at least.
func apart(ids map[string]bool) int {
	for n := leastID; ; n++ {
		beginnings := map[string]bool{}
		for id := range ids {
			beginnings[id[:min(n, len(id))]] = true
		}
		if len(beginnings) == len(ids) {
			return n
		}
	}
}

// screenWidth is how many columns a terminal has, 0 for what is none.
func screenWidth(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok {
		return 0
	}
	w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(w.Col)
}
