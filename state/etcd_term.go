package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdTerm is the time from the creation of the leader key to its deletion. The key hangs on a lease; the term ends
// by our own clock before the lease can end by etcd's.
type etcdTerm struct {
	revision int64 // of the leader key's creation
	lease    clientv3.LeaseID
	lost     <-chan struct{}
	end      context.CancelFunc
	onEnd    func(f func()) (stop func() bool) // has f called when the term ends, without a goroutine that waits for it
	kept     chan struct{}                     // closed when nobody renews the lease any more
}

func (t *etcdTerm) Revision() int64       { return t.revision }
func (t *etcdTerm) Lost() <-chan struct{} { return t.lost }

// over reports whether the term has ended, as far as this member knows.
func (t *etcdTerm) over() bool {
	select {
	case <-t.lost:
		return true
	default:
		return false
	}
}

// leaderSeen is the newest known state of the leader key.
type leaderSeen struct {
	at        int64 // revision at which it was so
	created   int64 // the term's revision, 0 if there is no leader
	advertise string
}

func (e *Etcd) leaderKey() string { return e.cfg.Prefix + "leader" }

// The leader key's value is the owner and the advertised address.
func (e *Etcd) leaderValue(advertise string) string { return e.owner + " " + advertise }

// Campaign implements Backend.
func (e *Etcd) Campaign(ctx context.Context, advertise string) (Term, error) {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	for {
		if err := e.vacancy(ctx); err != nil {
			return nil, e.explain(err)
		}
		t, err := e.seize(ctx, advertise)
		if t != nil {
			return t, nil
		}
		if err == nil {
			continue // another one was faster, and now is known
		}
		if ctx.Err() != nil {
			return nil, e.explain(ctx.Err())
		}
		err = e.explain(err)
		e.cfg.Log.Info("campaign again", "err", err)
		if !pause(ctx, campaignPause) {
			return nil, e.explain(ctx.Err())
		}
	}
}

// campaignPause keeps a campaign from spinning while etcd is out of reach or out of space.
const campaignPause = 300 * time.Millisecond

// pause waits; false means that ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// vacancy waits until there is no leader.
func (e *Etcd) vacancy(ctx context.Context) error {
	for {
		seen, changed, err := e.lookup(ctx)
		if err != nil || seen.created == 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// seize creates the leader key if there is none. No term and no error means that there is one.
func (e *Etcd) seize(ctx context.Context, advertise string) (*etcdTerm, error) {
	began := time.Now()
	lease, err := e.client.Grant(ctx, int64(e.cfg.LeaseTTL/time.Second))
	if err != nil {
		return nil, fmt.Errorf("grant lease: %w", err)
	}
	key := e.leaderKey()
	r, err := e.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, e.leaderValue(advertise), clientv3.WithLease(lease.ID))).
		Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		e.revoke(lease.ID)
		return nil, fmt.Errorf("create leader key: %w", err)
	}
	if !r.Succeeded {
		e.revoke(lease.ID)
		e.saw(r.Header.Revision, r.Responses[0].GetResponseRange().Kvs)
		return nil, nil
	}
	// The term outlives this call: what ends it is its own.
	renewing, end := context.WithCancel(context.WithoutCancel(ctx))
	t := &etcdTerm{revision: r.Header.Revision, lease: lease.ID, lost: renewing.Done(), end: end, kept: make(chan struct{})}
	t.onEnd = func(f func()) func() bool { return context.AfterFunc(renewing, f) }
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		end()
		close(t.kept)
		return nil, ErrClosed
	}
	e.term = t
	e.started.Go(func() {
		defer close(t.kept)
		e.renew(renewing, t, began)
	})
	return t, nil
}

// renew keeps the lease alive until the term ends, and ends it when that cannot be done in time.
func (e *Etcd) renew(ctx context.Context, t *etcdTerm, granted time.Time) {
	defer t.end()
	ttl := e.cfg.LeaseTTL
	expiry := time.AfterFunc(time.Until(granted.Add(ttl)), t.end)
	defer expiry.Stop()
	tick := time.NewTicker(ttl / 5)
	defer tick.Stop()
	var stream pb.Lease_LeaseKeepAliveClient
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var err error
		if stream == nil {
			if stream, err = e.leases.LeaseKeepAlive(ctx); err != nil {
				stream = nil
				continue
			}
		}
		sent := time.Now()
		left, err := renewOnce(stream, t.lease)
		switch {
		case err != nil:
			stream = nil
		case left <= 0:
			return // the lease is gone
		default:
			expiry.Reset(time.Until(sent.Add(min(ttl, left))))
		}
	}
}

// renewOnce returns the time to live after the renewal, 0 if the lease is gone.
func renewOnce(s pb.Lease_LeaseKeepAliveClient, lease clientv3.LeaseID) (time.Duration, error) {
	if err := s.Send(&pb.LeaseKeepAliveRequest{ID: int64(lease)}); err != nil {
		return 0, err
	}
	r, err := s.Recv()
	if err != nil {
		return 0, err
	}
	return time.Duration(r.TTL) * time.Second, nil
}

// Resign implements Backend.
func (e *Etcd) Resign(ctx context.Context, term Term) error {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer done()
	t, ok := term.(*etcdTerm)
	if !ok {
		return nil
	}
	t.end()
	<-t.kept
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	if _, err := e.client.Revoke(ctx, t.lease); err != nil && !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("revoke lease: %w", e.explain(err))
	}
	return nil
}

const revokeTimeout = 2 * time.Second

// revoke gives up a lease that has no key; if it fails, the lease just ends by itself.
func (e *Etcd) revoke(lease clientv3.LeaseID) {
	ctx, cancel := until(context.Background(), e.closed)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	if _, err := e.client.Revoke(ctx, lease); err != nil {
		e.cfg.Log.Debug("revoke lease", "err", err)
	}
}

// removeOwnKey deletes the leader key that an earlier process left in the same data directory: it is certainly dead.
func (e *Etcd) removeOwnKey(ctx context.Context) error {
	key := e.leaderKey()
	r, err := e.client.Get(ctx, key)
	if err != nil || len(r.Kvs) == 0 || !strings.HasPrefix(string(r.Kvs[0].Value), e.owner+" ") {
		return err
	}
	_, err = e.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", r.Kvs[0].CreateRevision)).
		Then(clientv3.OpDelete(key)).Commit()
	return err
}

// Leader implements Backend.
func (e *Etcd) Leader(ctx context.Context) (string, <-chan struct{}, error) {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return "", nil, err
	}
	defer done()
	seen, changed, err := e.lookup(ctx)
	if err != nil {
		return "", nil, e.explain(err)
	}
	return seen.advertise, changed, nil
}

// lookup returns what is known of the leader, waiting until anything is.
func (e *Etcd) lookup(ctx context.Context) (leaderSeen, <-chan struct{}, error) {
	select {
	case <-e.observed:
	case <-ctx.Done():
		return leaderSeen{}, nil, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.leader, e.elected, nil
}

// observe follows the leader key until Close.
func (e *Etcd) observe() {
	ctx, cancel := until(context.Background(), e.closed)
	defer cancel()
	for {
		if err := e.observeKey(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Log.Debug("observe the leader", "err", err)
		}
		if !pause(ctx, campaignPause) {
			return
		}
	}
}

func (e *Etcd) observeKey(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := e.client.Get(ctx, e.leaderKey())
	if err != nil {
		return err
	}
	e.saw(r.Header.Revision, r.Kvs)
	for w := range e.client.Watch(clientv3.WithRequireLeader(ctx), e.leaderKey(), clientv3.WithRev(r.Header.Revision+1)) {
		if err := w.Err(); err != nil {
			return err
		}
		for _, ev := range w.Events {
			if ev.Type == clientv3.EventTypePut {
				e.saw(ev.Kv.ModRevision, []*mvccpb.KeyValue{ev.Kv})
			} else {
				e.saw(ev.Kv.ModRevision, nil)
			}
		}
	}
	return errors.New("watch ended")
}

// saw takes note of the leader key, none or one, as it is at a revision.
func (e *Etcd) saw(at int64, kvs []*mvccpb.KeyValue) {
	seen := leaderSeen{at: at}
	if len(kvs) > 0 {
		_, advertise, _ := strings.Cut(string(kvs[0].Value), " ")
		seen.created, seen.advertise = kvs[0].CreateRevision, advertise
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.note(seen)
}

// note replaces what is known by something newer. Caller holds mu.
func (e *Etcd) note(seen leaderSeen) {
	select {
	case <-e.observed:
	default:
		close(e.observed)
	}
	if seen.at < e.leader.at {
		return
	}
	if t := e.term; t != nil && t.revision <= seen.at && t.revision != seen.created {
		t.end()
	}
	changed := seen.created != e.leader.created
	e.leader = seen
	if changed {
		close(e.elected)
		e.elected = make(chan struct{})
	}
}
