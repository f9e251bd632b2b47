package logs

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// What containers lose is told at once, then each minute at most, and when they have ended; nothing twice, and nothing is left out: also
// what an agent that went away was to be told, and what the keeper itself leaves at its end.
func TestLossesAreTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		sinks := map[string]*sink{"a": {}, "b": {}}
		newKeeper := func() *keeper {
			return &keeper{dir: dir, log: slog.New(slog.DiscardHandler), open: map[string]*openLog{}, untold: untold{}}
		}
		k := newKeeper()
		for id, s := range sinks {
			k.open[id] = &openLog{sink: s}
		}
		told := func(want string) {
			t.Helper()
			got := ""
			for _, l := range k.losses(time.Now()) {
				got += fmt.Sprint(l.ID, l.Lines, "/", l.Bytes, " ")
			}
			if got != want {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		told("")
		sinks["a"].drop([]byte("x\ny\n"))
		told("a2/4 ")
		told("")
		sinks["a"].drop([]byte("x\n"))
		sinks["b"].drop([]byte("12345\n"))
		told("b1/6 ")
		time.Sleep(lossEvery - 1)
		sinks["a"].drop([]byte("x\n"))
		told("")
		time.Sleep(time.Nanosecond)
		told("a2/4 ")
		if o := k.open["a"]; o.lost.Lines != 4 || o.lost.Bytes != 8 {
			t.Errorf("in all %+v", o.lost)
		}
		sinks["a"].drop([]byte("x\n"))
		k.untold.add(k.open["a"].take("a")) // as at its end
		delete(k.open, "a")
		all := k.losses(time.Now())
		if k.keep(all); len(all) != 1 {
			t.Errorf("at the end %v", all)
		}
		if err := k.leave(); err != nil {
			t.Fatal(err)
		}
		k = newKeeper()
		k.inherit()
		told("a1/2 ")
		k = newKeeper()
		k.inherit()
		told("")
	})
}
