package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// EtcdConfig says which etcd keeps the rows: an external cluster if Endpoints are given, else a member of our own in
// this process, alone (Cluster nil) or together with others.
type EtcdConfig struct {
	// Endpoints of an external cluster, "https://10.0.0.1:2379" or "unix:///run/etcd.sock".
	Endpoints          []string
	TLS                *tls.Config // for https Endpoints
	Username, Password string

	// Dir is where the embedded member keeps everything. It is created if need be.
	Dir     string
	Cluster *EtcdCluster
	// ListenClient is a URL at which the embedded member serves etcd's own API too, "unix:///DIR/etcd.sock" or
	// "http://127.0.0.1:2379"; nobody is asked for a password there. "" opens no socket.
	ListenClient string
	// Ballast is how many bytes of the disk are held back in a file, to be given up when the disk is full. Writes are
	// refused while less than that is free besides it. 0 means 128 MiB, less than 0 none and no refusal.
	Ballast int64
	// Quota is the size in bytes that the embedded member's database may reach; 0 means 8 GiB.
	Quota int64
	// History is how long old revisions are kept for watches that lag; 0 means a minute.
	History time.Duration

	// Prefix begins every key; "" means "/roadstead/". Regions that share an etcd need one each.
	Prefix string
	// LeaseTTL is how long a leader that is not heard of stays in office, in whole seconds; 0 means 5 s. A leader in a
	// data directory that is opened again is replaced at once.
	LeaseTTL time.Duration
	// CommitTimeout is when a write that etcd does not answer is given up, its outcome unknown; 0 means 10 s.
	CommitTimeout time.Duration
	Log           *slog.Logger
}

// Etcd is the Backend that keeps rows in etcd.
type Etcd struct {
	cfg     EtcdConfig
	server  *etcdServer // nil: external
	owns    bool        // Close stops the server
	client  *clientv3.Client
	commit  func(context.Context, *pb.TxnRequest) (*pb.TxnResponse, error)
	leases  pb.LeaseClient
	ops     int    // operations that one level of a txn may have
	bytes   int    // of keys and values in a txn
	owner   string // tells this member's leader key from others'
	started sync.WaitGroup

	mu       sync.Mutex
	closed   chan struct{}
	closing  bool
	running  sync.WaitGroup // calls that Close waits for
	term     *etcdTerm      // the latest one of this member
	leader   leaderSeen
	elected  chan struct{} // closed and replaced when leader changes
	observed chan struct{} // closed when leader is known
}

// Limits of an external etcd are those it has by default; of an embedded one, ours.
const (
	externalOps   = 128
	externalBytes = 1 << 20 // of 1.5 MiB a request, the rest being framing
	embeddedOps   = 4096
	embeddedBytes = 4 << 20
	maxPairs      = 4000
)

// OpenEtcd opens the backend, and starts the embedded member if there is one: then it returns when that takes part in a
// working cluster, so the members of a new cluster have to be opened at the same time. ctx bounds the opening only.
func OpenEtcd(ctx context.Context, cfg EtcdConfig) (*Etcd, error) {
	cfg = withDefaults(cfg)
	if len(cfg.Endpoints) > 0 {
		return dialEtcd(cfg)
	}
	server, err := startEtcd(ctx, cfg)
	if err != nil {
		return nil, err
	}
	e := server.member(cfg)
	e.owns = true
	if err := e.removeOwnKey(ctx); err != nil {
		_ = e.Close()
		return nil, fmt.Errorf("remove the leader key left behind: %w", err)
	}
	return e, nil
}

func withDefaults(cfg EtcdConfig) EtcdConfig {
	cfg.Prefix = cmp.Or(cfg.Prefix, "/roadstead/")
	cfg.LeaseTTL = max(cmp.Or(cfg.LeaseTTL, 5*time.Second).Round(time.Second), time.Second)
	cfg.CommitTimeout = cmp.Or(cfg.CommitTimeout, 10*time.Second)
	cfg.Ballast = cmp.Or(cfg.Ballast, 128<<20)
	cfg.Quota = cmp.Or(cfg.Quota, 8<<30)
	cfg.History = cmp.Or(cfg.History, time.Minute)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func dialEtcd(cfg EtcdConfig) (*Etcd, error) {
	logger, _ := newEtcdLog(cfg.Log)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: cfg.Endpoints, TLS: cfg.TLS, Username: cfg.Username, Password: cfg.Password,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: 5 * time.Second,
		Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	e := &Etcd{client: client, leases: clientv3.RetryLeaseClient(client), owner: rand.Text()}
	e.ops, e.bytes = externalOps, externalBytes
	kv := clientv3.RetryKVClient(client)
	e.commit = func(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) { return kv.Txn(ctx, r) }
	e.begin(cfg)
	return e, nil
}

// begin completes a backend that has its clients and limits.
func (e *Etcd) begin(cfg EtcdConfig) {
	e.cfg = cfg
	e.closed, e.elected, e.observed = make(chan struct{}), make(chan struct{}), make(chan struct{})
	e.started.Go(e.observe)
}

// MaxBatch implements Backend.
func (e *Etcd) MaxBatch() (pairs, bytes int) { return maxPairs, e.bytes }

// AddMember tells the cluster of a further member, which then is to be opened with EtcdCluster.Join.
func (e *Etcd) AddMember(ctx context.Context, peerURL string) error {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	if _, err := e.client.MemberAdd(ctx, []string{peerURL}); err != nil {
		return fmt.Errorf("add member %s: %w", peerURL, err)
	}
	return nil
}

// register begins a call that Close waits for; the caller calls running.Done in the end. False means closed.
func (e *Etcd) register() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closing {
		e.running.Add(1)
	}
	return !e.closing
}

// enter is register for a call that blocks: the context it returns ends with Close.
func (e *Etcd) enter(ctx context.Context) (_ context.Context, done func(), err error) {
	if !e.register() {
		return nil, nil, ErrClosed
	}
	ctx, cancel := until(ctx, e.closed)
	return ctx, func() { cancel(); e.running.Done() }, nil
}

// until returns a context that also ends when the channel is closed.
func until(ctx context.Context, end <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-end:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// explain says ErrClosed for what failed because of Close.
func (e *Etcd) explain(err error) error {
	select {
	case <-e.closed:
		return ErrClosed
	default:
	}
	switch {
	case errors.Is(err, rpctypes.ErrCompacted):
		return ErrCompacted
	case errors.Is(err, rpctypes.ErrNoSpace):
		return e.noQuota()
	}
	return err
}

// Close ends the term, if there is one, without resigning, and then the client and the embedded member.
func (e *Etcd) Close() error {
	e.mu.Lock()
	first := !e.closing
	if first {
		e.closing = true
		close(e.closed)
		if e.term != nil {
			e.term.end()
		}
	}
	e.mu.Unlock()
	e.running.Wait()
	e.started.Wait()
	if !first {
		return nil
	}
	err := e.client.Close()
	if errors.Is(err, context.Canceled) { // what clientv3 says when all is well
		err = nil
	}
	if e.owns {
		e.server.close()
	}
	return err
}
