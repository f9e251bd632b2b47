package cluster_test

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"github.com/roadstead/roadstead/state"
)

// raw puts the rows that the server has written, task by task, into an etcd of this process, in transactions of 100 by ten
// writers: what a control plane that does nothing else could do.
func (r *run) raw(ctx context.Context, dir string) {
	const perTxn, writers = 100, 10
	rows, bytes := r.rows(ctx, dir)
	if len(rows) < r.placed {
		r.Fatalf("%d rows of %d tasks", len(rows), r.placed)
	}
	etcd := r.etcd(r.TempDir())
	defer etcd.Close()
	c := v3client.New(etcd.Server)
	defer c.Close()
	var next atomic.Int64
	var wg sync.WaitGroup
	used, began := self().cpu(), time.Now()
	for range writers {
		wg.Go(func() {
			for {
				from := int(next.Add(perTxn)) - perTxn
				if from >= len(rows) {
					return
				}
				if _, err := c.Txn(ctx).Then(rows[from:min(from+perTxn, len(rows))]...).Commit(); err != nil {
					r.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	r.ReportMetric(float64(len(rows))/took.Seconds(), "raw-rows/s")
	r.ReportMetric(r.rate*took.Seconds()/float64(len(rows)), "ratio")
	r.Logf("raw etcd: %d rows of %d bytes in %.2f s; processor time of a row: %s", len(rows), bytes/len(rows), took.Seconds(), each(self().cpu()-used, len(rows)))
}

// rows reads the tasks that the server left in its state.
func (r *run) rows(ctx context.Context, dir string) (ops []clientv3.Op, bytes int) {
	b, err := state.OpenEtcd(ctx, state.EtcdConfig{Dir: dir})
	if err != nil {
		r.Fatal(err)
	}
	defer b.Close()
	_, pairs, err := b.Load(ctx)
	if err != nil {
		r.Fatal(err)
	}
	for p, err := range pairs {
		if err != nil {
			r.Fatal(err)
		}
		if strings.HasPrefix(p.Key, "tasks/") {
			ops = append(ops, clientv3.OpPut(p.Key, string(p.Value)))
			bytes += len(p.Key) + len(p.Value)
		}
	}
	return ops, bytes
}

// etcd starts an etcd of one member that opens no port.
func (r *run) etcd(dir string) *embed.Etcd {
	c := embed.NewConfig()
	c.Dir, c.Name = filepath.Join(dir, "etcd"), "raw"
	c.TickMs, c.ElectionMs = 10, 50
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = nil, nil, nil
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}}
	c.InitialCluster = c.Name + "=" + c.AdvertisePeerUrls[0].String()
	c.QuotaBackendBytes, c.SnapshotCount = 8<<30, 1000
	e, err := embed.StartEtcd(c)
	if err != nil {
		r.Fatal(err)
	}
	<-e.Server.ReadyNotify()
	return e
}
