package logquery

import (
	"fmt"
	"testing"
)

// What rows hold is counted once, wherever on their way it comes to be, and given back as it was counted.
func TestHeldIsCounted(t *testing.T) {
	for _, query := range []string{
		"sort n desc | limit 2",
		"sort n | fields concat(@message, @message) as c, jsonParse(@message) as j | limit 2",
		"fields @message | limit 2",
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		run := q.Start(0)
		for i := range 100 {
			run.Add(Record{Time: int64(i), Message: fmt.Sprintf(`{"n":%d}`, i)})
		}
		run.Rows()
		held := 0
		for _, r := range run.rows.all {
			held += r.size()
		}
		if counted := maxHeld - run.left; len(run.rows.all) != 2 || counted < held || counted > 105*held {
			t.Errorf("%s: %d bytes are counted, and %d rows hold %d", query, counted, len(run.rows.all), held)
		}
	}
	text := `{"a":[1,2,3]}`
	r := &row{fields: map[string]Value{"j": structure(text)}}
	if n := r.size(); n < heldRow+4*len(text) {
		t.Errorf("a structure of %d bytes is counted as %d", len(text), n-heldRow)
	}
}

// A sort lets go of no row that what follows may want, before it holds too much and says so.
func TestSortKeepsWhatMayMatter(t *testing.T) {
	for query, want := range map[string]int{
		"sort n":                                 defaultRows,
		"sort n | limit 7":                       7,
		"sort n | fields n + 1 as m | limit 7":   7,
		"sort n | filter n > 5 | limit 7":        maxHeld / heldRow,
		"sort n | dedup n | limit 7":             maxHeld / heldRow,
		"sort n | stats latest(n) as l | sort l": maxHeld / heldRow,
	} {
		q, err := ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		first := q.Start(0).first
		for m, ok := first.(*mapping); ok; m, ok = first.(*mapping) {
			first = m.next
		}
		if most := first.(*sorting).most; min(most, maxHeld/heldRow) != want {
			t.Errorf("%s keeps %d rows, want %d", query, most, want)
		}
	}
}
