package state

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Sibling opens another member's backend on the same embedded server, of the rows with the prefix.
func (e *Etcd) Sibling(prefix string) *Etcd {
	cfg := e.cfg
	cfg.Prefix = prefix
	return e.server.member(cfg)
}

// Compact makes etcd forget all revisions before its newest. It may have: nothing was written since the last time, while writers had no
// processor.
func (e *Etcd) Compact(ctx context.Context) error {
	r, err := e.client.Get(ctx, "x")
	if err != nil {
		return err
	}
	_, err = e.client.Compact(ctx, r.Header.Revision, clientv3.WithCompactPhysical())
	if errors.Is(err, rpctypes.ErrCompacted) {
		return nil
	}
	return err
}

// Depose revokes the leader's lease behind its back. Meanwhile the lease may have ended by itself, or the leader have resigned.
func (e *Etcd) Depose(ctx context.Context) error {
	r, err := e.client.Get(ctx, e.leaderKey())
	if err != nil || len(r.Kvs) == 0 {
		return err
	}
	_, err = e.client.Revoke(ctx, clientv3.LeaseID(r.Kvs[0].Lease))
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return err
}

// SetFree replaces the measurement of free disk space.
func (e *Etcd) SetFree(free func(dir string) (int64, error)) {
	s := e.server.space
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = free
}

// Close closes the DB's backend.
func (db *DB) Close() error { return db.cfg.Backend.Close() }

// RawPut writes rows in one transaction with nothing else: the floor that benchmarks compare with.
func (e *Etcd) RawPut(ctx context.Context, pairs []Pair) error {
	ops := make([]clientv3.Op, len(pairs))
	for i, p := range pairs {
		ops[i] = clientv3.OpPut(e.rows()+p.Key, string(p.Value))
	}
	_, err := e.client.Txn(ctx).Then(ops...).Commit()
	return err
}

// EncodeRow is how a row is stored.
func EncodeRow(row any, c SpecCodec) ([]byte, error) { return appendRow(nil, row, c) }

// DecodeRow is how it is read again.
func DecodeRow(b []byte, row any, c SpecCodec) error { return decodeRow(b, row, c) }

// PageOut is pageOut.
var PageOut = pageOut
