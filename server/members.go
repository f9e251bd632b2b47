package server

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/model"
)

// How often a member tells the leader that it is there, how soon again if it was not heard (the leader may not know the root
// key yet), and how long the leader believes it.
const (
	announceInterval = time.Minute
	announceRetry    = time.Second
	memberLife       = 3 * announceInterval
)

// members are the followers that have announced themselves to this leader, by their URLs. They are not stored: a new leader
// hears of them within a minute, and agents keep what they were told.
type members struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

func (m *members) note(url string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string]time.Time{}
	}
	m.seen[url] = now
	maps.DeleteFunc(m.seen, func(_ string, at time.Time) bool { return now.Sub(at) > memberLife })
}

// list returns own, and then the others that were heard of lately.
func (m *members) list(own string, now time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var others []string
	for url, at := range m.seen {
		if url != own && now.Sub(at) <= memberLife {
			others = append(others, url)
		}
	}
	slices.Sort(others)
	return append([]string{own}, others...)
}

// alone reports whether the control plane can have no other member.
func (c *Config) alone() bool {
	return c.Backend == nil && c.InitialCluster == "" && len(c.EtcdEndpoints) == 0
}

// announce tells every leader that this member is there, so that agents hear of it.
func (s *Server) announce(ctx context.Context) error {
	if s.cfg.alone() {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		next := time.NewTimer(announceInterval)
		leader, changed, err := s.db.Leader(ctx)
		if err == nil && leader != "" && leader != s.cfg.Advertise {
			if err := s.announceTo(ctx, leader); err != nil && ctx.Err() == nil {
				s.cfg.Log.Debug("announce this member", "leader", leader, "err", err)
				next.Reset(announceRetry)
			}
		}
		select {
		case <-changed:
		case <-next.C:
		case <-ctx.Done():
		}
		next.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (s *Server) announceTo(ctx context.Context, leader string) error {
	// Once: while a leader that has just died is tried again, the next one would not hear of this member.
	c, err := client.New(client.Config{
		Endpoint: leader, AccessKeyID: s.cfg.RootKeyID, Secret: s.cfg.RootSecret, Region: s.cfg.Region, Patience: -1, Transport: s.cfg.Peers,
	})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(ctx, http.MethodPost, acs.MembersPath, acs.Members{Members: []string{s.cfg.Advertise}}, nil)
}

// addMember notes that a member is there.
func (s *Server) addMember(r *http.Request, _ auth.Principal) (any, error) {
	var in acs.Members
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, model.Errorf("InvalidParameterException", "The body is no JSON: %s.", err)
	}
	for _, url := range in.Members {
		s.members.note(url, s.cfg.Now())
	}
	return struct{}{}, nil
}

// listMembers tells a node where else the control plane is served.
func (s *Server) listMembers(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(acs.Members{Members: s.members.list(s.cfg.Advertise, s.cfg.Now()), Registry: hostOf(s.cfg.RegistryURL)})
}
