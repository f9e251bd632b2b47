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
	s.invite(w, r, func(l *line) guest {
		return newSession(s, i, stock, l, func(i *model.Instance) {
			i.AgentConnected, i.DisconnectedAt = true, 0
			i.AgentVersion, i.AgentHash = q.Get("agentVersion"), q.Get("agentHash")
			i.DockerVersion = q.Get("dockerVersion")
		})
	})
}

// shortest is how long the connection of an agent lasts at least that ends by a fault of ours, such as a full disk: the stock one comes
// back at once, without a pause (AGENT-PROTOCOL §1.2).
const shortest = 5 * time.Second

// open makes x the session of its instance, and has the agent told what it should have.
func (x *session) open(ctx context.Context) error {
	ctx, x.cancel = context.WithCancel(ctx)
	x.within = func() context.Context { return ctx }
	x.s.enter(x)
	if err := x.s.setConnected(x.within(), x.key, x.note); err != nil {
		return err
	}
	x.note = nil
	x.s.cfg.Log.Info("agent connected", "instance", x.inst.ID, "cluster", x.inst.Cluster, "stock", x.stock)
	x.begin()
	return nil
}

// close ends x's turn, and then the connection.
func (x *session) close(why error) {
	err := x.end(why)
	x.s.leave(x)
	x.s.cfg.Log.Info("agent disconnected", "instance", x.inst.ID, "cluster", x.inst.Cluster, "err", err)
	if fault := !slices.ContainsFunc(noFaults, func(no error) bool { return errors.Is(err, no) }); fault {
		select {
		case <-time.After(shortest - time.Since(x.began)):
		case <-x.s.closing:
		}
	}
	x.conn.end("ConnectionExpired: Reconnect to continue")
}

// noFaults are the ends of connections that are as they should be.
var noFaults = []error{errAgentLeft, errNotLeading, errDeregistered, context.Canceled}

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
