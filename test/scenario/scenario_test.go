package scenario_test

import (
	"testing"
	"time"

	"github.com/roadstead/roadstead/test/scenario"
)

// A language of two verbs shows what a script can hand over.
func TestPlay(t *testing.T) {
	var at time.Duration
	got := scenario.Play(t, `
		# quiet lines leave no trace
		advance 90s
		say hello n=3 to=a,b
		say`, scenario.Verbs{
		"advance": func(c *scenario.Call) { at += c.Duration() },
		"say": func(c *scenario.Call) {
			c.Printf("%q %d %q %s at %s", c.Arg(), c.Int("n", 1), c.List("to"), c.Text("mood", "calm"), at)
		},
	})
	want := `> say hello n=3 to=a,b
  "hello" 3 ["a" "b"] calm at 1m30s
> say
  "" 1 [] calm at 1m30s
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
