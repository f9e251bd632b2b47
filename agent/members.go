package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// membersInterval is how often a connected node asks where else the control plane is served.
const membersInterval = 5 * time.Minute

// membersFile keeps what the node learned: after a restart the member that its command line names may be dead.
func (a *Agent) membersFile() string { return a.dir("members.json") }

// recallMembers tells the client of the members that an earlier process knew.
func (a *Agent) recallMembers() error {
	b, err := os.ReadFile(a.membersFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var known acs.Members
	if err == nil {
		err = json.Unmarshal(b, &known)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", a.membersFile(), err)
	}
	a.client.Learn(known.Members...)
	a.registry.Store(&known.Registry)
	return nil
}

// watchMembers keeps the client's list of members fresh until ctx ends. Not knowing them costs nothing but a way out.
func (l *link) watchMembers(ctx context.Context) {
	tick := time.NewTicker(membersInterval)
	defer tick.Stop()
	for {
		if err := l.agent.learnMembers(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("learn the members of the control plane", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *Agent) learnMembers(ctx context.Context) error {
	var now acs.Members
	if err := a.client.Do(ctx, http.MethodGet, acs.MembersPath, nil, &now); err != nil {
		return err
	}
	before := slices.Sorted(slices.Values(a.client.Endpoints()))
	a.client.Learn(now.Members...)
	known := slices.Sorted(slices.Values(a.client.Endpoints()))
	if was := a.registry.Swap(&now.Registry); slices.Equal(before, known) && was != nil && *was == now.Registry {
		return nil
	}
	b, err := json.Marshal(acs.Members{Members: known, Registry: now.Registry})
	if err != nil {
		return err
	}
	return writeWhole(a.membersFile(), b)
}

// serves reports whether a registry host is the control plane's: a member, which serves the registry, or its name.
func (a *Agent) serves(host string) bool {
	if name := a.registry.Load(); name != nil && *name != "" && *name == host {
		return true
	}
	return slices.ContainsFunc(a.client.Endpoints(), func(e string) bool {
		u, err := url.Parse(e)
		return err == nil && u.Host == host
	})
}
