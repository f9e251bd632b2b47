package state

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"
)

// EtcdCluster makes the embedded member one of several.
type EtcdCluster struct {
	// Name of this member, a key of Members.
	Name string
	// Members maps the names of all members to their peer URLs, "https://10.0.0.1:2380".
	Members map[string]string
	// Listen is the URL to listen at, if it is not the one in Members.
	Listen string
	// Join says that the cluster exists and has been told of this member with AddMember; else all of Members start it
	// together. Either matters only until the member has a data directory.
	Join bool
	// CertFile, KeyFile and CAFile make https peers prove who they are; empty for http.
	CertFile, KeyFile, CAFile string
}

// etcdServer is an etcd member in this process.
type etcdServer struct {
	embedded *embed.Etcd
	log      *etcdLog
	space    *space
	pages    *pages
}

// startEtcd starts a member and waits until it serves.
func startEtcd(ctx context.Context, cfg EtcdConfig) (*etcdServer, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	guard := newSpace(cfg)
	guard.prepare()
	conf, log, err := embedConfig(cfg)
	if err != nil {
		return nil, err
	}
	embedded, err := embed.StartEtcd(conf)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	s := &etcdServer{embedded: embedded, log: log, space: guard, pages: &pages{
		file: filepath.Join(conf.Dir, "member", "snap", "db"), revision: func() int64 { return embedded.Server.KV().Rev() }, every: cfg.History, log: cfg.Log,
	}}
	select {
	case <-embedded.Server.ReadyNotify():
		guard.start(embedded.Server)
		s.pages.start()
		return s, nil
	case err = <-embedded.Err():
	case <-embedded.Server.StopNotify():
		err = fmt.Errorf("etcd stopped")
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.close()
	return nil, fmt.Errorf("wait for etcd: %w", err)
}

// member returns a backend on the server.
func (s *etcdServer) member(cfg EtcdConfig) *Etcd {
	server := s.embedded.Server
	e := &Etcd{
		server: s, client: v3client.New(server), owner: server.MemberID().String(), ops: embeddedOps, bytes: embeddedBytes,
		commit: server.Txn, // below etcd's RPC, which would look for keys that come twice in a transaction; no group has any
		leases: adapter.LeaseServerToLeaseClient(v3rpc.NewQuotaLeaseServer(server)),
	}
	e.begin(cfg)
	return e
}

// close stops the server. All clients of it must be closed already: it would wait for them for seconds.
func (s *etcdServer) close() {
	s.log.muted.Store(true)
	s.space.stop()
	if s.pages.stop != nil { // it was ready
		s.pages.end()
	}
	s.embedded.Close()
}

func embedConfig(cfg EtcdConfig) (*embed.Config, *etcdLog, error) {
	c := embed.NewConfig()
	c.Dir = filepath.Join(cfg.Dir, "etcd")
	zapLogger, log := newEtcdLog(cfg.Log)
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zapLogger)

	c.QuotaBackendBytes = cfg.Quota
	c.MaxTxnOps = embeddedOps
	c.MaxRequestBytes = 4 * embeddedBytes
	// By time, not by count of revisions: a revision may be one row or 4 MiB.
	c.AutoCompactionMode, c.AutoCompactionRetention = embed.CompactorModePeriodic, cfg.History.String()
	// Entries are as large as batches, so few may be held in memory, and few replayed after a crash.
	c.SnapshotCount, c.SnapshotCatchUpEntries = 1000, 50
	c.WarningApplyDuration, c.WarningUnaryRequestDuration = time.Second, 3*time.Second

	c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil
	if cfg.ListenClient != "" {
		u, err := parseURLs(cfg.ListenClient)
		if err != nil {
			return nil, nil, err
		}
		c.ListenClientUrls, c.AdvertiseClientUrls = u, u
	}
	if cfg.Cluster != nil {
		return c, log, clusterConfig(c, cfg.Cluster)
	}
	// Alone: no peers, no socket, and nobody to give time to before an election.
	c.TickMs, c.ElectionMs = 10, 50
	c.SnapshotCatchUpEntries = 1 // nobody lags behind; 0 would be etcd's own 5,000
	c.Name = "roadstead"
	c.ListenPeerUrls = nil
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}} // must be there, is never used
	c.InitialCluster = c.Name + "=" + c.AdvertisePeerUrls[0].String()
	return c, log, nil
}

func clusterConfig(c *embed.Config, cluster *EtcdCluster) error {
	own, ok := cluster.Members[cluster.Name]
	if !ok {
		return fmt.Errorf("member %q is not among the cluster's members", cluster.Name)
	}
	c.Name = cluster.Name
	c.TickMs, c.ElectionMs = 100, 1000
	c.SnapshotCatchUpEntries = 500 // a member that lags further behind is sent the whole database
	var err error
	for _, u := range []string{own, cluster.Listen} {
		if strings.HasPrefix(u, "unix") { // etcd would take it for a file in the working directory
			return fmt.Errorf("peer URL %s: members talk http or https", u)
		}
	}
	if c.AdvertisePeerUrls, err = parseURLs(own); err != nil {
		return err
	}
	c.ListenPeerUrls = c.AdvertisePeerUrls
	if cluster.Listen != "" {
		if c.ListenPeerUrls, err = parseURLs(cluster.Listen); err != nil {
			return err
		}
	}
	var all []string
	for name, peer := range cluster.Members {
		all = append(all, name+"="+peer)
	}
	slices.Sort(all)
	c.InitialCluster = strings.Join(all, ",")
	if cluster.Join {
		c.ClusterState = embed.ClusterStateFlagExisting
	}
	c.PeerTLSInfo = transport.TLSInfo{
		CertFile: cluster.CertFile, KeyFile: cluster.KeyFile,
		TrustedCAFile: cluster.CAFile, ClientCertAuth: cluster.CAFile != "",
	}
	return nil
}

func parseURLs(s string) ([]url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("etcd URL: %w", err)
	}
	return []url.URL{*u}, nil
}
