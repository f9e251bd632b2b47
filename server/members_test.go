package server_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
)

// Nodes learn of all members from any of them, and only the root key makes one known.
func TestMembersAreKnownToNodes(t *testing.T) {
	store := state.NewMemory()
	first, _ := open(t, server.Config{Backend: store.Member()})
	second, _ := open(t, server.Config{Backend: store.Member()})
	if !first.DB().Leading() {
		t.Fatal("the first member does not lead")
	}
	token, err := first.JoinToken(t.Context(), "000000000000")
	if err != nil {
		t.Fatal(err)
	}
	key, err := acs.ParseJoinToken(token)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{first.URL(), second.URL()}
	for _, s := range []*server.Server{first, second} {
		node := dial(t, s, key.KeyID, key.Secret)
		if got := await(t, node, want); !slices.Equal(got, want) {
			t.Errorf("%s knows the members %v, want %v", s.URL(), got, want)
		}
		err := node.Do(t.Context(), "POST", acs.MembersPath, acs.Members{Members: []string{"http://evil"}}, nil)
		if model.ErrorCode(err) != "AccessDeniedException" {
			t.Errorf("a node announces a member: %v", err)
		}
	}
	stranger := dial(t, first, "nobody", "secret")
	if err := stranger.Do(t.Context(), "GET", acs.MembersPath, nil, nil); err == nil {
		t.Error("anybody may ask for the members")
	}
}

// await asks until the members are as wanted, or ten seconds are over.
func await(t *testing.T, c *client.Client, want []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var out acs.Members
		if err := c.Do(t.Context(), "GET", acs.MembersPath, nil, &out); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(out.Members, want) {
			return out.Members
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return out.Members
		}
	}
}

// A member that has the control plane to itself names itself.
func TestOnlyMember(t *testing.T) {
	s, _ := open(t, server.Config{})
	var out acs.Members
	if err := dial(t, s, "root", "secret").Do(t.Context(), "GET", acs.MembersPath, nil, &out); err != nil || fmt.Sprint(out.Members) != fmt.Sprint([]string{s.URL()}) {
		t.Errorf("members %v, %v", out.Members, err)
	}
}
