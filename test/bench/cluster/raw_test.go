//go:build bench || e2e

package cluster_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
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
// writers: what a control plane that does nothing else could do. The median of three times counts.
func (r *run) raw(ctx context.Context, dir string) {
	rows, bytes := r.rows(ctx, dir)
	if len(rows) < r.placed {
		r.Fatalf("%d rows of %d tasks", len(rows), r.placed)
	}
	etcd := r.etcd(r.TempDir())
	defer etcd.Close()
	c := v3client.New(etcd.Server)
	defer c.Close()
	var times [3]time.Duration
	used := self().cpu()
	for i := range times {
		times[i] = r.put(ctx, c, rows, fmt.Sprint(i, "/"))
	}
	used = self().cpu() - used
	slices.Sort(times[:])
	took := times[1]
	r.ReportMetric(float64(len(rows))/took.Seconds(), "raw-rows/s")
	r.ReportMetric(r.rate*took.Seconds()/float64(len(rows)), "ratio")
	r.Logf("raw etcd: %d rows of %d bytes in %.2f s, %.2f s and %.2f s; processor time of a row: %s",
		len(rows), bytes/len(rows), times[0].Seconds(), took.Seconds(), times[2].Seconds(), each(used, len(times)*len(rows)))
}

// put writes all rows under a prefix.
func (r *run) put(ctx context.Context, c *clientv3.Client, rows []state.Pair, prefix string) time.Duration {
	const perTxn, writers = 100, 10
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range writers {
		wg.Go(func() {
			for {
				from := int(next.Add(perTxn)) - perTxn
				if from >= len(rows) {
					return
				}
				var ops []clientv3.Op
				for _, p := range rows[from:min(from+perTxn, len(rows))] {
					ops = append(ops, clientv3.OpPut(prefix+p.Key, string(p.Value)))
				}
				if _, err := c.Txn(ctx).Then(ops...).Commit(); err != nil {
					r.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// rows reads the tasks that the server left in its state.
func (r *run) rows(ctx context.Context, dir string) (rows []state.Pair, bytes int) {
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
			rows = append(rows, p)
			bytes += len(p.Key) + len(p.Value)
		}
	}
	return rows, bytes
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
