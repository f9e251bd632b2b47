package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/roadstead/roadstead/access"
	"github.com/roadstead/roadstead/api/ecr"
	"github.com/roadstead/roadstead/api/ecs"
	"github.com/roadstead/roadstead/api/logs"
	"github.com/roadstead/roadstead/api/s3"
	"github.com/roadstead/roadstead/api/secretsmanager"
	"github.com/roadstead/roadstead/auth"
	"github.com/roadstead/roadstead/controller"
	"github.com/roadstead/roadstead/exec"
	"github.com/roadstead/roadstead/hooks"
	"github.com/roadstead/roadstead/logforward"
	"github.com/roadstead/roadstead/logstore"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/objectstore"
	"github.com/roadstead/roadstead/registry"
	"github.com/roadstead/roadstead/seal"
	"github.com/roadstead/roadstead/session"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/wire"
)

// Server is one control-plane member.
type Server struct {
	cfg      Config
	listener net.Listener
	more     []net.Listener
	backend  state.Backend
	db       *state.DB
	sessions *session.Sessions
	exec     *exec.Exec
	driver   *controller.Driver
	hooks    *hooks.Hooks
	members  members
	planner  *ecs.Planner
	verifier *auth.Verifier
	tokens   *auth.Sessions
	seal     *seal.Sealer
	access   access.Access
	registry *registry.Registry
	ecr      *ecr.API
	secrets  *secretsmanager.API
	objects  *objectstore.Store
	s3       *s3.API
	logStore *logstore.Store
	logs     *logs.API
	forward  *logforward.Forwarder

	logCopies logCopies
	gateway   *wire.Gateway
	metrics   *metrics
}

// Open starts listening and opens the state, but serves nothing before Run. Close it with Run's context, or with Close
// if Run is never called.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l, err := listen(&cfg)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	cfg.Listen = l.Addr().String()
	if cfg.Advertise == "" {
		cfg.Advertise = "http://" + cfg.Listen
	}
	backend, err := openBackend(ctx, &cfg)
	if err != nil {
		l.Close()
		return nil, err
	}
	s := &Server{cfg: cfg, listener: l, backend: backend}
	if err := s.assemble(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func listen(cfg *Config) (net.Listener, error) {
	if cfg.Listener != nil {
		return cfg.Listener, nil
	}
	return net.Listen("tcp", cfg.Listen)
}

func openBackend(ctx context.Context, cfg *Config) (state.Backend, error) {
	if cfg.Backend != nil {
		return cfg.Backend, nil
	}
	etcd := state.EtcdConfig{Dir: filepath.Join(cfg.DataDir, "state"), Endpoints: cfg.EtcdEndpoints, Log: cfg.Log}
	if cfg.InitialCluster != "" {
		members := map[string]string{}
		for m := range strings.SplitSeq(cfg.InitialCluster, ",") {
			name, peer, ok := strings.Cut(m, "=")
			if !ok {
				return nil, fmt.Errorf("initial cluster %q is not of the form NAME=PEER_URL,...", cfg.InitialCluster)
			}
			members[name] = peer
		}
		etcd.LeaseTTL = clusterLease
		etcd.Cluster = &state.EtcdCluster{Name: cfg.Member, Members: members, Listen: cfg.PeerURL}
	}
	b, err := state.OpenEtcd(ctx, etcd)
	if err != nil {
		return nil, fmt.Errorf("open state in %s: %w", cfg.DataDir, err)
	}
	return b, nil
}

// clusterLease is how long the members of a cluster wait for a silent leader: most of a fail-over's time.
const clusterLease = 2 * time.Second

// URL is where the server is reached.
func (s *Server) URL() string { return s.cfg.Advertise }

// Addr is the address that it listens on.
func (s *Server) Addr() string { return s.cfg.Listen }

// Also serves on another listener, which Run closes. Call it before Run.
func (s *Server) Also(l net.Listener) { s.more = append(s.more, l) }

// DB is the server's state, for assembly of a process that holds more than the server.
func (s *Server) DB() *state.DB { return s.db }

// Close releases what Open took.
func (s *Server) Close() error {
	s.listener.Close()
	var err error
	if s.logStore != nil {
		err = s.logStore.Close()
	}
	return errors.Join(err, s.backend.Close())
}

// Run serves until ctx ends. It returns nil if that is the reason.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		wg.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	run("state", s.db.Run)
	run("sessions", s.sessions.Run)
	run("exec", s.exec.Run)
	run("bootstrap", s.bootstrap)
	run("controllers", s.driver.Run)
	run("hooks", s.hooks.Run)
	run("collect", s.collect)
	run("announce", s.announce)
	run("images", s.replicate)
	run("ecr", s.ecr.Run)
	run("secrets", s.secrets.Run)
	run("objects", s.tendObjects)
	run("logs", s.logs.Run)
	run("copies of logs", s.copyLogs)
	run("log subscriptions", s.forward.Run)
	run("http", s.serve)
	<-ctx.Done()
	cause := context.Cause(ctx)
	wg.Wait()
	if err := s.Close(); err != nil {
		s.cfg.Log.Warn("close state", "err", err)
	}
	if errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// How long a client may take to ask, and may keep a connection on which it asks nothing: longer than clients keep those that they mean
// to use again (the SDKs of Go a minute and a half, the others a minute or less), or they would lose calls that they begin at that moment.
const (
	headerPatience = 30 * time.Second
	idlePatience   = 3 * time.Minute
)

// listening is the HTTP server. What has been asked may take any time to be answered, and a websocket lives as long as its ends want.
func listening(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerPatience, IdleTimeout: idlePatience, MaxHeaderBytes: maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

// serve runs the HTTP server. Requests in flight at the end get a moment; websockets are cut.
func (s *Server) serve(ctx context.Context) error {
	srv := listening(ctx, slim(s.handler()))
	done := make(chan error, 1+len(s.more))
	for _, l := range append(s.more, s.listener) {
		go func() { done <- srv.Serve(l) }()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.sessions.Disconnect()
	if srv.Shutdown(grace) != nil {
		srv.Close()
	}
	for range len(s.more) + 1 {
		<-done
	}
	return ctx.Err()
}

// bootstrap makes sure, on the leader, that the account and its root key exist.
func (s *Server) bootstrap(ctx context.Context) error {
	for {
		if err := s.db.AwaitLead(ctx); err != nil {
			return err
		}
		err := s.db.Update(ctx, s.seed)
		if err == nil {
			err = s.sealKeys(ctx)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, state.ErrNotLeader) {
			return err
		}
	}
}

// seed writes the rows that every installation begins with.
func (s *Server) seed(tx *state.Tx) error {
	now := s.cfg.Now().UnixMilli()
	if _, ok := tx.Accounts.Get(s.cfg.Account); !ok {
		tx.Accounts.Put(&model.Account{ID: s.cfg.Account, CreatedAt: now})
	}
	root := model.AccessKey{ID: s.cfg.RootKeyID, Secret: s.cfg.RootSecret, Account: s.cfg.Account, Kind: model.KeyRoot, CreatedAt: now}
	if !s.isSealed(tx, &root) {
		tx.AccessKeys.Put(auth.SealKey(s.seal, root))
	}
	for a := range tx.Accounts.All() {
		if err := s.furnish(tx, a.ID); err != nil {
			return err
		}
	}
	return nil
}

// furnish gives an account what it has from the beginning: of a dev server, the cluster "default".
func (s *Server) furnish(tx *state.Tx, account string) error {
	c := model.Cluster{
		Scope: model.Scope{Account: account, Region: s.cfg.Region}, Name: model.DefaultCluster, Status: model.ClusterActive, CreatedAt: s.cfg.Now().UnixMilli(),
	}
	if _, ok := tx.Clusters.Get(c.Key()); !ok && s.cfg.Dev {
		tx.Clusters.Put(&c)
	}
	return nil
}
