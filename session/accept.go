package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// ServeACS takes the connection of an agent, whose principal is in the request's context, for Run to serve it until one of
// the two ends it.
func (s *Sessions) ServeACS(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i, refusal := s.instance(r, q.Get("containerInstanceArn"))
	if refusal != nil {
		refuse(w, refusal)
		return
	}
	stock := q.Get("agentHash") != model.OwnAgent
	s.invite(w, r, func(ctx context.Context, l *line) {
		s.serveAgent(ctx, i, stock, l, func(i *model.Instance) {
			i.AgentConnected, i.DisconnectedAt = true, 0
			i.AgentVersion, i.AgentHash = q.Get("agentVersion"), q.Get("agentHash")
			i.DockerVersion = q.Get("dockerVersion")
		})
	})
}

// shortest is how long the connection of an agent lasts at least that ends by a fault of ours, such as a full disk: the stock one comes
// back at once, without a pause (AGENT-PROTOCOL §1.2).
const shortest = 5 * time.Second

// serveAgent serves the connection of an instance's agent, about whom note says what the instance's row is to.
func (s *Sessions) serveAgent(ctx context.Context, i *model.Instance, stock bool, l *line, note func(*model.Instance)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	err := s.serveSession(ctx, newSession(s, i, stock, l, cancel), note)
	s.cfg.Log.Info("agent disconnected", "instance", i.ID, "cluster", i.Cluster, "err", err)
	if fault := err != nil && !slices.ContainsFunc(noFaults, func(no error) bool { return errors.Is(err, no) }); fault {
		select {
		case <-time.After(shortest - time.Since(began)):
		case <-ctx.Done():
		}
	}
	l.end("ConnectionExpired: Reconnect to continue")
}

// noFaults are the ends of connections that are as they should be.
var noFaults = []error{errAgentLeft, errNotLeading, errDeregistered, context.Canceled}

// serveSession serves an agent as long as it is the one of its instance.
func (s *Sessions) serveSession(ctx context.Context, x *session, note func(*model.Instance)) error {
	s.enter(x)
	defer s.leave(x)
	err := s.stacks.run(func() error {
		err := s.setConnected(ctx, x.key, note)
		if err == nil {
			s.cfg.Log.Info("agent connected", "instance", x.inst.ID, "cluster", x.inst.Cluster, "stock", x.stock)
		}
		return err
	})
	if err != nil {
		return err
	}
	return x.run(ctx)
}

// instance finds the instance that a connection speaks for.
func (s *Sessions) instance(r *http.Request, arn string) (*model.Instance, *model.Error) {
	p, ok := auth.PrincipalFrom(r.Context())
	if !ok {
		return nil, &model.Error{Code: "AccessDeniedException", Message: "no principal"}
	}
	i, ok := findInstance(s.cfg.DB.Snapshot().Tables, p.Account, arn)
	switch {
	case !ok:
		return nil, &model.Error{Code: "InvalidInstanceException", Message: "The container instance is not registered."}
	case i.Status == model.InstanceInactive:
		return nil, &model.Error{Code: "InactiveInstanceException", Message: "The container instance is inactive."}
	}
	return i, nil
}

// findInstance looks an instance up by its ARN; another account's is not found.
func findInstance(t *state.Tables, account, arn string) (*model.Instance, bool) {
	a, ok := model.ParseARN(arn)
	if !ok || a.Account != account || a.Type() != "container-instance" {
		return nil, false
	}
	return t.Instances.Get(a.Scope.Key(strings.Join(a.Segments(), "/")))
}

// refuse answers an upgrade in the short form that agents understand (AGENT-PROTOCOL §1.2).
func refuse(w http.ResponseWriter, e *model.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{e.Code: e.Message})
}
