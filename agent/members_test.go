package agent

import (
	"slices"
	"strings"
	"testing"
)

// What a node learns of the control plane's members outlives its process, and serves when the one it was told of is dead.
func TestMembersAreLearned(t *testing.T) {
	dead, alive := newPlane(t, map[string]answer{}), newPlane(t, map[string]answer{"": {body: `{"members":["http://10.0.0.3:4566"],"registry":"images.example"}`}, "DiscoverPollEndpoint": {body: "{}"}})
	dir := t.TempDir()
	a := dead.node(t, Config{DataDir: dir})
	dead.answer("", answer{body: `{"members":["` + alive.URL + `","nonsense"]}`})
	if err := a.learnMembers(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "knows", strings.Join(a.client.Endpoints(), " "), dead.URL+" "+alive.URL)

	dead.Close()
	b := dead.node(t, Config{DataDir: dir})
	if err := b.recallMembers(); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Call(t.Context(), "ecs", "DiscoverPollEndpoint", nil, nil); err == nil {
		t.Fatal("a dead member answers")
	}
	if err := b.client.Call(t.Context(), "ecs", "DiscoverPollEndpoint", nil, nil); err != nil {
		t.Errorf("after a restart, with the member that it was told of dead: %v", err)
	}
	if err := b.learnMembers(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, u := range []string{dead.URL, alive.URL, "http://10.0.0.3:4566"} {
		if !slices.Contains(b.client.Endpoints(), u) {
			t.Errorf("it has forgotten %s: %v", u, b.client.Endpoints())
		}
	}
	want(t, "a member's registry is ours", b.serves("10.0.0.3:4566"), true)
	want(t, "a stranger's is not", b.serves("10.0.0.4:4566"), false)
	want(t, "the name of all members' registry is", b.serves("images.example"), true)
	c := dead.node(t, Config{DataDir: dir})
	if err := c.recallMembers(); err != nil {
		t.Fatal(err)
	}
	want(t, "and after a restart", c.serves("images.example"), true)
}

func TestRecallNothing(t *testing.T) {
	p := newPlane(t, nil)
	a := p.node(t, Config{})
	want(t, "no file", a.recallMembers(), nil)
	if err := writeWhole(a.membersFile(), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	if err := a.recallMembers(); err == nil {
		t.Error("nonsense is recalled")
	}
}
