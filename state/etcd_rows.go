package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"
)

// rows begins the keys of rows; the rest is the Pair's key.
func (e *Etcd) rows() string { return e.cfg.Prefix + "rows/" }

// Load implements Backend. Pages after the first are read at the first one's revision.
func (e *Etcd) Load(ctx context.Context) (int64, iter.Seq2[Pair, error], error) {
	first, err := e.page(ctx, "", 0)
	if err != nil {
		return 0, nil, err
	}
	rev := first.Header.Revision
	return rev, func(yield func(Pair, error) bool) {
		for p := first; ; {
			last := ""
			for _, kv := range p.Kvs {
				last = strings.TrimPrefix(string(kv.Key), e.rows())
				if !yield(Pair{Key: last, Value: present(kv.Value)}, nil) {
					return
				}
			}
			if !p.More || len(p.Kvs) == 0 {
				return
			}
			if p, err = e.page(ctx, last+"\x00", rev); err != nil {
				yield(Pair{}, err)
				return
			}
		}
	}, nil
}

// present keeps an empty value from looking like none.
func present(v []byte) []byte {
	if v == nil {
		return []byte{}
	}
	return v
}

const pageRows = 1000

// page reads rows from a key on, at a revision or, if that is 0, the newest.
func (e *Etcd) page(ctx context.Context, from string, rev int64) (*clientv3.GetResponse, error) {
	ctx, done, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	r, err := e.client.Get(ctx, e.rows()+from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(e.rows())),
		clientv3.WithLimit(pageRows), clientv3.WithRev(rev))
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", e.explain(err))
	}
	return r, nil
}

// Watch implements Backend. The leader key is watched along with the rows: its creation is the batch that begins a term.
func (e *Etcd) Watch(ctx context.Context, after int64) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		watching, done, err := e.enter(ctx)
		if err != nil {
			yield(Batch{}, err)
			return
		}
		defer done()
		// Progress notices move the place from which the client goes on after it lost its connection.
		responses := e.client.Watch(clientv3.WithRequireLeader(watching), e.cfg.Prefix, clientv3.WithPrefix(),
			clientv3.WithRev(after+1), clientv3.WithProgressNotify())
		for r := range responses {
			if err := r.Err(); err != nil {
				if ctx.Err() == nil {
					yield(Batch{}, fmt.Errorf("watch: %w", e.explain(err)))
				}
				return
			}
			for _, b := range e.batches(r.Events) {
				if ctx.Err() != nil || !yield(b, nil) {
					return
				}
			}
		}
		if ctx.Err() == nil {
			yield(Batch{}, e.explain(errors.New("watch ended")))
		}
	}
}

// batches splits the events of one response, which holds whole revisions in order.
func (e *Etcd) batches(events []*clientv3.Event) []Batch {
	var out []Batch
	rows := e.rows()
	for len(events) > 0 {
		b := Batch{Revision: events[0].Kv.ModRevision}
		n := slices.IndexFunc(events, func(ev *clientv3.Event) bool { return ev.Kv.ModRevision != b.Revision })
		if n < 0 {
			n = len(events)
		}
		for _, ev := range events[:n] {
			key, ok := strings.CutPrefix(string(ev.Kv.Key), rows)
			if !ok {
				continue
			}
			p := Pair{Key: key}
			if ev.Type == clientv3.EventTypePut {
				p.Value = present(ev.Kv.Value)
			}
			b.Pairs = append(b.Pairs, p)
		}
		out, events = append(out, b), events[n:]
	}
	return out
}

// Commit implements Backend: one etcd transaction, on condition that the leader key is still the one of the term, and the
// sequence key the one of the commit before.
func (e *Etcd) Commit(ctx context.Context, term Term, seq int64, pairs []Pair) (int64, error) {
	if !e.register() {
		return 0, ErrClosed
	}
	defer e.running.Done()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t, ok := term.(*etcdTerm)
	if !ok || t.over() {
		return 0, ErrFenced
	}
	if tooLarge(pairs, e) {
		return 0, ErrTooLarge
	}
	if e.server != nil {
		if err := e.server.space.admit(); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.CommitTimeout)
	defer cancel()
	defer t.onEnd(cancel)()
	r, err := e.commit(ctx, e.txn(t, seq, pairs))
	err = clientv3.ContextError(ctx, err)
	switch {
	case isNoSpace(err) && seq > 0:
		return e.despiteNoSpace(ctx, t, seq)
	case isNoSpace(err):
		return 0, e.noQuota()
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, etcderrors.ErrRequestTooLarge):
		return 0, fmt.Errorf("%w: %w", ErrTooLarge, err)
	case err != nil && t.over():
		return 0, fmt.Errorf("commit: term lost on the way: %w", e.explain(err))
	case err != nil:
		return 0, fmt.Errorf("commit: %w", e.explain(err))
	case r.Succeeded:
		return r.Header.Revision, nil
	}
	if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) == 1 && kvs[0].CreateRevision == t.revision {
		return 0, ErrOrder
	}
	t.end()
	return 0, ErrFenced
}

// isNoSpace reports whether etcd, our own or one that is called, says that it is over its quota.
func isNoSpace(err error) bool {
	return errors.Is(err, rpctypes.ErrNoSpace) || errors.Is(err, etcderrors.ErrNoSpace)
}

// despiteNoSpace finds out whether a numbered commit was written: etcd answers that it is over its quota either before the
// transaction or, when the transaction itself took it there, after having applied it.
func (e *Etcd) despiteNoSpace(ctx context.Context, t *etcdTerm, seq int64) (int64, error) {
	r, err := e.client.Get(ctx, e.sequenceKey())
	if err != nil {
		return 0, fmt.Errorf("commit over the quota: %w", err)
	}
	if len(r.Kvs) == 1 && bytes.Equal(r.Kvs[0].Value, t.number(seq)) {
		return r.Kvs[0].ModRevision, nil
	}
	return 0, e.noQuota()
}

func (e *Etcd) sequenceKey() string { return e.cfg.Prefix + "sequence" }

// txn is a commit as etcd's own message. If it is refused, it answers the leader key, which tells why.
func (e *Etcd) txn(t *etcdTerm, seq int64, pairs []Pair) *pb.TxnRequest {
	leader := []byte(e.leaderKey())
	ops := e.operations(pairs)
	r := &pb.TxnRequest{
		Compare: []*pb.Compare{{
			Key: leader, Target: pb.Compare_CREATE, Result: pb.Compare_EQUAL,
			TargetUnion: &pb.Compare_CreateRevision{CreateRevision: t.revision},
		}},
		Failure: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: leader}}}},
	}
	if seq > 0 {
		key := []byte(e.sequenceKey())
		ops = append(ops, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
			RequestPut: &pb.PutRequest{Key: key, Value: t.number(seq)}}})
		before := &pb.Compare{Key: key, Target: pb.Compare_VALUE, Result: pb.Compare_EQUAL,
			TargetUnion: &pb.Compare_Value{Value: t.number(seq - 1)}}
		if seq == 1 { // whatever an earlier term left there, but not a commit of this one
			before.Result, before.TargetUnion = pb.Compare_LESS, &pb.Compare_ModRevision{ModRevision: t.revision}
			before.Target = pb.Compare_MOD
		}
		r.Compare = append(r.Compare, before)
	}
	r.Success = nest(ops, e.ops)
	return r
}

// number is the value of the sequence key after the term's commit seq.
func (t *etcdTerm) number(seq int64) []byte { return fmt.Appendf(nil, "%d/%d", t.revision, seq) }

// operations are made of etcd's own messages: clientv3 would copy every value twice. Each kind of part is made in one piece.
func (e *Etcd) operations(pairs []Pair) []*pb.RequestOp {
	prefix := e.rows()
	size := 0
	for i := range pairs {
		size += len(prefix) + len(pairs[i].Key)
	}
	keys := make([]byte, 0, size)
	parts := make([]struct {
		op  pb.RequestOp
		box pb.RequestOp_RequestPut
		put pb.PutRequest
	}, len(pairs))
	ops := make([]*pb.RequestOp, len(pairs), len(pairs)+1) // the sequence key's comes too
	for i := range pairs {
		p, part, from := &pairs[i], &parts[i], len(keys)
		keys = append(append(keys, prefix...), p.Key...)
		key := keys[from:len(keys):len(keys)]
		ops[i] = &part.op
		if p.Value != nil {
			part.put.Key, part.put.Value = key, p.Value
			part.box.RequestPut = &part.put
			part.op.Request = &part.box
			continue
		}
		del := &pb.DeleteRangeRequest{Key: key}
		if p.Prefix {
			del.RangeEnd = []byte(clientv3.GetPrefixRangeEnd(string(key)))
		}
		part.op.Request = &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: del}
	}
	return ops
}

// nest puts operations into transactions inside the transaction if they are more than one level may have. Etcd counts
// the levels on a path together, so two levels of half the limit hold its square.
func nest(ops []*pb.RequestOp, limit int) []*pb.RequestOp {
	if len(ops) <= limit {
		return ops
	}
	var outer []*pb.RequestOp
	for part := range slices.Chunk(ops, limit/2) {
		outer = append(outer, &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: part}}})
	}
	return outer
}
