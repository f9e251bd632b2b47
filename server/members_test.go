package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
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

// A leader that refuses a member at first, as one does that has not read the root key yet, hears of it a moment later.
func TestAnnouncedAgain(t *testing.T) {
	t.Parallel()
	store := state.NewMemory()
	first, _ := open(t, server.Config{Backend: store.Member()})
	var refused atomic.Bool
	second, _ := open(t, server.Config{Backend: store.Member(), Peers: trip(func(r *http.Request) (*http.Response, error) {
		if refused.Swap(true) {
			return http.DefaultTransport.RoundTrip(r)
		}
		body := io.NopCloser(strings.NewReader(`{"__type":"UnrecognizedClientException","message":"x"}`))
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: body, Request: r}, nil
	})})
	want := []string{first.URL(), second.URL()}
	if got := await(t, dial(t, first, "root", "secret"), want); !slices.Equal(got, want) {
		t.Errorf("the leader knows %v, want %v", got, want)
	}
}

// trip is a function as a RoundTripper.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

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

// A registry with a name of its own is called by that, whoever leads.
func TestRegistryName(t *testing.T) {
	s, _ := open(t, server.Config{RegistryURL: "https://images.example"})
	root := dial(t, s, "root", "secret")
	var made struct {
		Repository struct{ RepositoryURI string }
	}
	if err := root.Call(t.Context(), "ecr", "CreateRepository", map[string]any{"repositoryName": "web"}, &made); err != nil || made.Repository.RepositoryURI != "images.example/web" {
		t.Errorf("repository %q, %v", made.Repository.RepositoryURI, err)
	}
	var out acs.Members
	if err := root.Do(t.Context(), "GET", acs.MembersPath, nil, &out); err != nil || out.Registry != "images.example" {
		t.Errorf("nodes are told of %q, %v", out.Registry, err)
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
