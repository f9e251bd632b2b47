package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/client"
	"github.com/roadstead/roadstead/exec"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/state"
)

// handler is the one endpoint: health and metrics of this member, and everything else on the leader.
func (s *Server) handler() http.Handler {
	lead := http.NewServeMux()
	lead.Handle("/", s.gateway)
	lead.Handle("/v2/", s.registry)
	lead.Handle("GET /ws", s.signed("Poll", s.sessions.ServeACS))
	lead.Handle("GET "+telemetryPath+"/ws", s.signed("StartTelemetrySession", s.sessions.ServeTCS))
	lead.HandleFunc("GET "+exec.ClientPath, s.exec.ServeClient) // a token says who it is
	lead.Handle("GET "+acs.ExecNodePath, s.signed("Poll", s.exec.ServeNode))
	s.operatorRoutes(lead)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.Handle("GET /metrics", s.metrics.handler())
	s.imageRoutes(mux)
	s.objectRoutes(mux)
	s.logRoutes(mux)
	s.issuerRoutes(mux)
	mux.Handle("/", s.metrics.count(s.onLeader(lead)))
	return s.apart(s.metrics.count(s.onLeader(s.s3)), mux)
}

// What the header of a request may be: as at AWS's load balancers [D], which is several times what any client sends us; and so many
// fields, of which an object's metadata are the most.
const (
	maxHeaderBytes  = 64 << 10
	maxHeaderFields = 1000
)

// slim refuses a request with too many fields in its header, before anybody walks over them.
func slim(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for _, values := range r.Header {
			n += len(values)
		}
		if n > maxHeaderFields {
			w.Header().Set("Connection", "close")
			http.Error(w, http.StatusText(http.StatusRequestHeaderFieldsTooLarge), http.StatusRequestHeaderFieldsTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// healthz answers 200 while the member leads or knows who does.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	leader, _, err := s.db.Leader(r.Context())
	if err != nil || leader == "" {
		http.Error(w, `{"status":"no leader"}`, http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "ok", "leader": leader, "leading": s.db.Leading(), "revision": s.db.Snapshot().Revision})
}

// leaderPatience is how long a request waits for a leader, which is as long as an election may take.
const leaderPatience = 10 * time.Second

// onLeader serves the request here if this member leads, and passes it on to the leader if not.
func (s *Server) onLeader(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), leaderPatience)
		defer cancel()
		for again := true; again; {
			if s.db.Leading() {
				next.ServeHTTP(w, r)
				return
			}
			target, err := s.findLeader(ctx)
			switch {
			case err != nil:
				refuse(w, http.StatusServiceUnavailable, model.Errorf("ServerException", "Service Unavailable. Please try again later."))
				return
			case target == nil:
				next.ServeHTTP(w, r)
				return
			}
			again = s.passOn(ctx, w, r, target)
		}
	})
}

// passOn passes a request on to the leader. It reports whether that is to be tried again: the leader took no connection, so it may
// have died, and nothing of the request was sent. Callers wait for another leader instead of being refused; the clients of exec
// sessions would give up before there is one.
func (s *Server) passOn(ctx context.Context, w http.ResponseWriter, r *http.Request, leader *url.URL) (again bool) {
	p := s.proxy(leader)
	refuse := p.ErrorHandler
	body := &unsent{ReadCloser: r.Body}
	p.ErrorHandler = func(w http.ResponseWriter, out *http.Request, err error) {
		var failed *net.OpError
		if again = !body.begun.Load() && errors.As(err, &failed) && failed.Op == "dial" && ctx.Err() == nil; !again {
			refuse(w, out, err)
		}
	}
	once := *r
	if r.Body != nil && r.Body != http.NoBody {
		once.Body = body
	}
	p.ServeHTTP(w, &once)
	if again {
		select {
		case <-time.After(leaderPoll):
		case <-ctx.Done():
		}
	}
	return again
}

// unsent is a request's body that knows whether something of it was read. The proxy closes it after each try; the server does it in
// the end.
type unsent struct {
	io.ReadCloser
	begun atomic.Bool
}

func (b *unsent) Read(p []byte) (int, error) {
	b.begun.Store(true)
	return b.ReadCloser.Read(p)
}

func (*unsent) Close() error { return nil }

// leaderPoll is how often a leader that takes no connection is tried.
const leaderPoll = 50 * time.Millisecond

// findLeader waits for a leader: nil means this member.
func (s *Server) findLeader(ctx context.Context) (*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, leaderPatience)
	defer cancel()
	for {
		if s.db.Leading() {
			return nil, nil
		}
		addr, changed, err := s.db.Leader(ctx)
		if err != nil {
			return nil, err
		}
		if addr != "" && addr != s.cfg.Advertise {
			return url.Parse(addr)
		}
		poll := time.NewTimer(20 * time.Millisecond) // elected here, but not caught up yet
		select {
		case <-changed:
		case <-poll.C:
		case <-ctx.Done():
			poll.Stop()
			return nil, ctx.Err()
		}
		poll.Stop()
	}
}

// proxy passes a request on as it came: the signature covers its host.
func (s *Server) proxy(to *url.URL) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: s.cfg.Peers,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host
			s.vouch(p.In, p.Out)
			p.Out.Body = client.Exact(p.Out.Body, p.Out.ContentLength)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			s.cfg.Log.Warn("pass a request to the leader", "leader", to.String(), "err", err)
			refuse(w, http.StatusServiceUnavailable, model.Errorf("ServerException", "Service Unavailable. Please try again later."))
		},
	}
}

// explain says what an operator can do about a fault, nil if nothing.
func explain(err error) *model.Error {
	if errors.Is(err, state.ErrNoSpace) {
		return model.Errorf("ServerException", "The control plane cannot write: %s.", err)
	}
	return nil
}

// signed lets only signed requests through whose sender may do the ECS action.
func (s *Server) signed(action string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := s.verifier.Verify(r, nil)
		if err == nil {
			err = auth.Allowed(p, "ecs", action)
		}
		if err != nil {
			var refusal *model.Error
			if !errors.As(err, &refusal) {
				refusal = model.Errorf("ServerException", "internal error")
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(map[string]string{"AccessDeniedException": refusal.Message})
			return
		}
		p.Region = s.cfg.Region
		next(w, r.WithContext(auth.WithPrincipal(r.Context(), p)))
	})
}

// refuse answers an error in the JSON form that clients of every AWS JSON service read.
func refuse(w http.ResponseWriter, status int, e *model.Error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.Code, "message": e.Message})
}
