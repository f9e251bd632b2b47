package logforward_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/logforward"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// A message says whose events these are, as CloudWatch Logs does [D].
func TestMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.group("g", nil, "s")
		w.add(g, "s", "a before")
		w.pass(time.Second)
		w.put("g", []model.LogSubscription{filter("f", "[word = a*, rest]")})
		now := time.Now().UnixMilli()
		w.add(g, "s", "a one", "b two", "a <three>")
		w.got(time.Minute)
		if len(w.received) != 1 {
			t.Fatalf("got %+v", w.received)
		}
		m := w.received[0]
		if m.MessageType != "DATA_MESSAGE" || m.Owner != "000000000000" || m.LogGroup != "g" || m.LogStream != "s" || !slices.Equal(m.SubscriptionFilters, []string{"f"}) {
			t.Errorf("got %+v", m)
		}
		if e := m.LogEvents; len(e) != 2 || e[0].Message != "a one" || e[1].Message != "a <three>" || len(e[0].ID) != 56 || e[0].ID >= e[1].ID ||
			e[0].Timestamp != now || e[1].ExtractedFields["rest"] != "<three>" || e[1].ExtractedFields["word"] != "a" {
			t.Errorf("got %+v", e)
		}
	})
}

// Events of streams keep their order, and those that were sent are not sent again by the next process; nor are those lost that came
// while none ran.
func TestGoesOnWhereItWas(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.group("g", []model.LogSubscription{filter("f", "-noise")}, "a", "b")
		w.add(g, "a", "1", "noise", "2")
		w.add(g, "b", "1")
		if got := w.got(time.Second); got != "a: 1 2\nb: 1" {
			t.Errorf("got %q", got)
		}
		w.stop()
		w.begin()
		if got := w.got(time.Hour); got != "a: 1 2\nb: 1" {
			t.Errorf("after a restart: %q", got)
		}
		w.stop()
		w.begin()
		g, err := w.store.Group("g")
		must(t, err)
		for i := range 100 { // several sealed files
			w.add(g, "a", fmt.Sprint(i, strings.Repeat(".", 100)))
		}
		all := strings.ReplaceAll(w.got(time.Minute), strings.Repeat(".", 100), "")
		all = strings.ReplaceAll(all, "\na:", "") // however many messages it took
		want := "a: 1 2\nb: 1"
		for i := range 100 {
			want += fmt.Sprint(" ", i)
		}
		if all != want {
			t.Errorf("got %q", all)
		}
	})
}

// A destination that fails gets everything later, at least once and in order; the pauses become longer.
func TestTriesAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		var tries []time.Duration
		began := time.Now()
		w.answer = func(int) (int, error) {
			tries = append(tries, time.Since(began).Round(time.Second))
			switch {
			case time.Since(began) < 10*time.Second:
				return 0, errors.New("unreachable")
			case time.Since(began) < time.Hour:
				return 503, errors.New("busy") // so that it is not counted as received
			}
			return 204, nil
		}
		g := w.group("g", []model.LogSubscription{filter("f", "")}, "s")
		w.add(g, "s", "1")
		w.add(g, "s", "2")
		if got := w.got(2 * time.Hour); got != "s: 1 2" {
			t.Errorf("got %q", got)
		}
		if len(tries) < 12 || tries[1]-tries[0] != time.Second || tries[5]-tries[0] != 31*time.Second || tries[11]-tries[10] != 5*time.Minute {
			t.Errorf("tried after %v", tries)
		}
	})
}

// An answer that is no success is a failure, and redirections are answers.
func TestOnlySuccessIsSuccess(t *testing.T) {
	for _, status := range []int{199, 301, 307, 400, 404, 500} {
		inWorld(t, func(w *world) {
			w.answer = func(n int) (int, error) {
				if n == 0 {
					return status, nil
				}
				return 200, nil
			}
			g := w.group("g", []model.LogSubscription{filter("f", "")}, "s")
			w.add(g, "s", "1")
			if got := w.got(time.Minute); got != "s: 1\ns: 1" {
				t.Errorf("after %d: %q", status, got)
			}
		})
	}
}

// What a destination did not take for a day is given up [D]; what is younger is not.
func TestGivesUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.answer = func(int) (int, error) { return 0, errors.New("unreachable") }
		g := w.group("g", []model.LogSubscription{filter("f", "")}, "s")
		w.add(g, "s", "old")
		w.pass(20 * time.Hour)
		w.add(g, "s", "young")
		w.pass(5 * time.Hour)
		if n, _ := g.Mark("id-f"); n != 1 { // or it would be read again at each try, for ever
			t.Errorf("the place that is kept is %d, behind what was given up", n)
		}
		w.mu.Lock()
		w.answer = func(int) (int, error) { return 200, nil }
		w.mu.Unlock()
		if got := w.got(time.Hour); got != "s: young" {
			t.Errorf("got %q", got)
		}
	})
}

// Others hear how far a filter is when it has sent all, now and then while it has much to send, and when it is gone; not of each event,
// and not of nothing.
func TestOthersHearHowFarItIs(t *testing.T) {
	inWorld(t, func(w *world) {
		g := w.group("g", []model.LogSubscription{filter("f", "")}, "s")
		heard := func(what string, least, most int64) {
			t.Helper()
			if n := w.moved.Swap(0); n < least || n > most {
				t.Errorf("%s: heard %d times, want %d to %d", what, n, least, most)
			}
		}
		w.add(g, "s", "1")
		w.pass(600 * time.Millisecond)
		heard("one event", 1, 1)
		w.add(g, "s", "2")
		w.pass(time.Second)
		heard("another soon after", 1, 1)
		w.pass(time.Hour)
		heard("nothing", 0, 0)
		for range 600 {
			w.add(g, "s", "x")
			w.pass(100 * time.Millisecond)
		}
		w.pass(time.Second)
		heard("a minute of events", 55, 125)

		w.mu.Lock()
		w.slow = 300 * time.Millisecond
		w.mu.Unlock()
		for range 20 { // as many messages, one after the other
			w.add(g, "s", strings.Repeat("x", 1<<20))
		}
		w.pass(5 * time.Second)
		heard("while it sends", 3, 6)
		w.pass(time.Minute)
		heard("the rest", 1, 4)
		w.put("g", nil)
		w.pass(time.Minute)
		heard("it is gone", 1, 1)
	})
}

// Lines whose key is disabled hold a filter up; once it is deleted they are skipped, which is said once, and what follows is sent.
func TestLinesBehindADeletedKey(t *testing.T) {
	inWorld(t, func(w *world) {
		why := errors.New("the key is disabled")
		w.open = func([]byte) ([]byte, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return nil, why
		}
		key, err := logstore.NewKey(make([]byte, 32), []byte("wrapped"))
		must(t, err)
		g := w.group("g", []model.LogSubscription{filter("f", "")}, "s")
		w.add(g, "s", "1")
		now := time.Now().UnixMilli()
		must(t, g.AppendLocked("s", []logstore.Event{{Time: now, Message: "2"}, {Time: now, Message: "3"}}, now, key))
		w.add(g, "s", "4")
		if got := w.got(time.Hour); got != "s: 1" && got != "" || strings.Contains(w.log.String(), "skipped") {
			t.Errorf("while it is disabled: %q, %s", got, &w.log)
		}
		w.log.Reset()
		w.mu.Lock()
		why, w.answer = logstore.Gone(why), func(int) (int, error) { return 0, errors.New("unreachable") }
		w.mu.Unlock()
		w.pass(time.Hour)
		w.mu.Lock()
		w.answer = func(int) (int, error) { return 200, nil }
		w.mu.Unlock()
		if got := w.got(time.Hour); got != "s: 1 4" && got != "s: 1\ns: 4" {
			t.Errorf("got %q", got)
		}
		if said := w.log.String(); strings.Count(said, "skipped") != 1 || !strings.Contains(said, "group=g filter=f events=2 err=\"the key is disabled\"") {
			t.Errorf("said %s", said)
		}
		w.stop()
		w.log.Reset()
		w.begin()
		g, err = w.store.Group("g")
		must(t, err)
		w.add(g, "s", "5")
		if got := w.got(time.Hour); !strings.HasSuffix(got, "4\ns: 5") || w.log.Len() > 0 {
			t.Errorf("after a restart: %q, %s", got, &w.log)
		}
	})
}

// A filter that is changed goes on where it was with what it is now; one that is deleted and made again begins anew; one of a group that
// goes ends.
func TestFiltersChange(t *testing.T) {
	inWorld(t, func(w *world) {
		f := filter("f", "x")
		g := w.group("g", []model.LogSubscription{f}, "s")
		w.add(g, "s", "x1", "y1")
		w.got(time.Second)
		f.Pattern = "y"
		w.put("g", []model.LogSubscription{f})
		w.add(g, "s", "x2", "y2")
		w.got(time.Second)
		w.put("g", nil)
		w.add(g, "s", "y3")
		w.pass(time.Minute)
		f = filter("f", "y")
		f.ID = "another"
		w.put("g", []model.LogSubscription{f, filter("second", "2")})
		w.add(g, "s", "y4", "2")
		if got := w.got(time.Minute); got != "s: x1\ns: y2\ns: y4\ns: 2" && got != "s: x1\ns: y2\ns: 2\ns: y4" { // two filters have no order
			t.Errorf("got %q", got)
		}
		if _, ok := g.Mark("id-f"); ok {
			t.Error("the place of a filter that is gone is kept")
		}
		if _, ok := g.Mark("another"); !ok {
			t.Error("the place of a filter is not kept")
		}
		must(t, w.store.Remove("g"))
		must(t, w.db.Update(w.Context(), func(tx *state.Tx) error {
			tx.LogGroups.Delete(scope.Key("g"))
			return nil
		}))
		w.got(time.Minute)
	})
}

// Only the operator can have http:// URLs sent to.
func TestAllowed(t *testing.T) {
	f := logforward.New(logforward.Config{Plain: []string{"http://10.0.0.5:9000/in", "http://vector:8080"}})
	for _, c := range []struct {
		url string
		ok  bool
	}{
		{"https://anything.example/x?y=z", true}, {"http://10.0.0.5:9000/in", true}, {"http://10.0.0.5:9000/in/x", true}, {"http://vector:8080/", true},
		{"http://10.0.0.5:9000/inner", false}, {"http://10.0.0.5:9000/in/../admin", false}, {"http://10.0.0.5:9000/in/%2e%2e/admin", false},
		{"http://10.0.0.5:9000@evil/in", false}, {"http://10.0.0.5/in", false}, {"http://localhost:2379/", false}, {"https://user:pw@x/", false},
		{"file:///etc/passwd", false}, {"https://", false}, {"http://vector:80801/", false},
	} {
		if err := f.Allowed(c.url); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.url, err)
		}
	}
}

// A destination is tried with a message of its own.
func TestCheck(t *testing.T) {
	inWorld(t, func(w *world) {
		f := logforward.New(logforward.Config{Transport: w})
		must(t, f.Check(w.Context(), sink))
		if m := w.received[0]; m.MessageType != "CONTROL_MESSAGE" || m.Owner != "CloudwatchLogs" || len(m.LogEvents) != 1 || !strings.HasPrefix(m.LogEvents[0].Message, "CWL CONTROL MESSAGE: ") {
			t.Errorf("got %+v", m)
		}
		w.answer = func(int) (int, error) { return 404, nil }
		if err := f.Check(w.Context(), sink); err == nil || model.ErrorCode(err) != "" {
			t.Errorf("what happens at a destination is for the log, not for the caller: %v", err)
		}
		if err := f.Check(w.Context(), "http://sink.example/"); model.ErrorCode(err) != "InvalidParameterException" || !strings.Contains(err.Error(), "--log-destinations") {
			t.Errorf("a destination that is not allowed: %v", err)
		}
		if len(w.received) != 2 {
			t.Errorf("%d messages", len(w.received))
		}
	})
}
