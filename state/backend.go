package state

import (
	"context"
	"errors"
	"iter"
)

// Backend keeps rows durably: an ordered map from keys to values in which every committed batch is one revision, an
// election that names one leader among the members, and a fence: a commit succeeds only while the term it belongs to
// is the current one. Two implementations (memory, etcd) pass the suite in statetest.
//
// Revisions are positive and grow with every batch, not always by one. Implementations may be used by many
// goroutines. After Close every call returns ErrClosed.
type Backend interface {
	// Campaign blocks until this member leads, and returns its term. The backend gives the term up by itself when
	// the member can no longer prove to lead: then the term's Lost channel is closed.
	Campaign(ctx context.Context, advertise string) (Term, error)
	// Leader returns the address that the current leader advertised, or "" if there is none, and a channel that is
	// closed when this may have changed.
	Leader(ctx context.Context) (advertise string, changed <-chan struct{}, err error)
	// Load yields all pairs at one revision, in key order, linearizably: everything committed before the call. If it
	// cannot go on it yields one error (ErrCompacted: call Load again).
	Load(ctx context.Context) (revision int64, pairs iter.Seq2[Pair, error], err error)
	// Watch yields every batch with a revision greater than after, whole and in order, until ctx ends or it cannot
	// go on: then it yields one error (ErrCompacted: start again with Load). The beginning of a term is a batch too,
	// with no pairs. Deletions of a prefix come as deletions of the keys that were there.
	Watch(ctx context.Context, after int64) iter.Seq2[Batch, error]
	// Commit makes the pairs durable as one batch, atomically, if the term still leads. No two pairs may concern the
	// same key, and at least one must change something. Commits of a term that must not overtake each other are
	// numbered from 1: the one with number seq is written only right after seq-1. With seq 0 order does not matter.
	// Errors: ErrFenced, ErrOrder, ErrNoSpace and ErrTooLarge mean that nothing was written, any other error that it
	// is unknown; then only a new term can tell.
	Commit(ctx context.Context, term Term, seq int64, pairs []Pair) (revision int64, err error)
	// Resign gives the term up, so that another member (or this one again) may lead at once. It takes a few seconds
	// at most, even if the store cannot be reached.
	Resign(ctx context.Context, term Term) error
	// MaxBatch is the greatest number of pairs that Commit takes, and of bytes in their keys and values.
	MaxBatch() (pairs, bytes int)
	Close() error
}

// Term is one leadership of one member.
type Term interface {
	// Revision is the one at which the term began. All that earlier terms committed has a smaller one.
	Revision() int64
	// Lost is closed when the term is over.
	Lost() <-chan struct{}
}

// Pair is a key with its value. A nil Value deletes the key or, with Prefix, every key that begins with it.
type Pair struct {
	Key    string
	Value  []byte
	Prefix bool
}

// Batch is what one commit wrote.
type Batch struct {
	Revision int64
	Pairs    []Pair
}

var (
	// ErrFenced says that another term leads; nothing was written.
	ErrFenced = errors.New("another term leads")
	// ErrOrder says that the commit is not the next one of its term; nothing was written.
	ErrOrder = errors.New("commit out of order")
	// ErrNoSpace says that the backend is out of disk space; nothing was written.
	ErrNoSpace = errors.New("no space left for state")
	// ErrCompacted says that the revisions asked for are no longer kept.
	ErrCompacted = errors.New("revisions compacted")
	// ErrClosed says that the backend has been closed.
	ErrClosed = errors.New("state backend closed")
	// ErrNotLeader is returned by Update on a member that does not lead, and to writes whose fate a lost term left
	// unknown.
	ErrNotLeader = errors.New("this member does not lead")
	// ErrTooLarge is returned by Update for a change of more rows, or bytes, than the backend commits at once.
	ErrTooLarge = errors.New("change of too many rows at once")
)
