package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/roadstead/roadstead/logstore"
)

// logsPath is where members copy log events from and to each other (docs/decisions/046): POST PATH/promise announces a leader's epoch,
// POST PATH/copy/GROUP brings what a group lacks, POST PATH/since/GROUP asks for it, POST PATH/drop/GROUP says that a group is gone.
const logsPath = "/roadstead/v1/logs"

// How members copy logs.
const (
	copyBytes     = 4 << 20          // of frames in a call, about
	maxCopyBody   = 32 << 20         // of a call: events of one PutLogEvents are in one frame, in base64
	copyPatience  = 10 * time.Second // of a call, and of who waits for copies
	copyRetry     = 500 * time.Millisecond
	othersWithin  = 2 * time.Second // members that no list names are heard of by then
	epochTagBits  = 12              // of an epoch are random: leaders that know of no other member would count alike
	takeOverTries = 100 * time.Millisecond
)

// promise is what a new leader asks of a member, and the answer.
type promise struct {
	Epoch     uint64            `json:"epoch"`               // answered: the one that was promised last
	Positions map[string]uint64 `json:"positions,omitempty"` // how far the member has each group
}

// copied is what a group lacks from one Seq to another.
type copied struct {
	Epoch  uint64 `json:"epoch"`
	After  uint64 `json:"after"`
	To     uint64 `json:"to"`
	Frames []byte `json:"frames"`
	More   bool   `json:"more"`
	Shut   string `json:"shut,omitempty"` // why nothing can be sent now, if a key of KMS is why
}

// position is how far a member has a group, and which epoch it has promised.
type position struct {
	Epoch uint64 `json:"epoch"`
	At    uint64 `json:"at"`
}

// callMember calls another member once.
func (s *Server) callMember(ctx context.Context, url, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	c, err := s.peer(url)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Do(ctx, http.MethodPost, logsPath+path, in, out)
}

// copyLogs has other members hold the logs of this one while it leads.
func (s *Server) copyLogs(ctx context.Context) error {
	if s.cfg.alone() {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.db.WhileLeading(ctx, func(ctx context.Context) {
		defer s.noteCopies(func(c *logCopies) { c.ready, c.peers, c.lacking = false, nil, nil })
		if err := s.leadLogs(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("copy logs", "err", err)
			select {
			case <-time.After(copyRetry):
			case <-ctx.Done():
			}
		}
	})
}

// noteCopies changes what is known of copies.
func (s *Server) noteCopies(f func(c *logCopies)) {
	s.logCopies.mu.Lock()
	defer s.logCopies.mu.Unlock()
	f(&s.logCopies)
	s.logCopies.wake()
}

// newEpoch is higher than one that is known, and no other leader's. A group that counts more than an epoch has room for goes on into the next
// numbers: the upper half of tags is kept for that.
func newEpoch(known uint64) uint64 {
	return (known>>epochTagBits+1)<<epochTagBits | rand.Uint64N(1<<(epochTagBits-1))
}

// leadLogs takes over: it has a majority promise an epoch, gets from them what it lacks, and then brings all of them what they lack until
// the term is over or another leader's epoch is met.
func (s *Server) leadLogs(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	epoch := newEpoch(s.logStore.Epoch())
	if err := s.logStore.Promise(epoch); err != nil {
		return err
	}
	s.noteCopies(func(c *logCopies) { c.ready, c.peers, c.lacking = false, map[string]*logPeer{}, map[string]lacking{} })
	began, tick := s.cfg.Now(), time.NewTicker(takeOverTries)
	defer tick.Stop()
	busy, ended := map[string]bool{}, make(chan string)
	for {
		for _, url := range s.members.list(s.cfg.Advertise, s.cfg.Now())[1:] {
			if busy[url] {
				continue
			}
			busy[url] = true
			running.Go(func() {
				if err := s.copyTo(ctx, url, epoch); errors.Is(err, logstore.ErrEpoch) {
					cancel(err)
				}
				select {
				case ended <- url:
				case <-ctx.Done():
				}
			})
		}
		if s.logStore.Epoch() != epoch {
			return logstore.ErrEpoch
		}
		if !s.logsReady() && s.enoughLogs(began) {
			if err := s.logStore.Lead(epoch); err != nil {
				return err
			}
			s.noteCopies(func(c *logCopies) { c.ready = true })
		}
		s.forgetLacking()
		select {
		case url := <-ended:
			delete(busy, url)
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// copyTo has a member promise the epoch, and brings it what it lacks for as long as it answers; then it waits a moment.
func (s *Server) copyTo(ctx context.Context, url string, epoch uint64) error {
	p, err := s.enlist(ctx, url, epoch)
	if err == nil {
		err = s.bring(ctx, url, p, epoch)
		s.noteCopies(func(c *logCopies) { delete(c.peers, url) })
	}
	if ctx.Err() == nil && !errors.Is(err, logstore.ErrEpoch) {
		s.cfg.Log.Debug("a member does not copy logs", "member", url, "err", err)
	}
	select {
	case <-time.After(copyRetry):
	case <-ctx.Done():
	}
	return err
}

func (s *Server) logsReady() bool {
	s.logCopies.mu.Lock()
	defer s.logCopies.mu.Unlock()
	return s.logCopies.ready
}

// enoughLogs says whether what was acknowledged by earlier leaders is here: a majority has shown what it has. Without a list of members it
// is those that have announced themselves; and when too few do for long, what there is has to do.
func (s *Server) enoughLogs(began time.Time) bool {
	s.logCopies.mu.Lock()
	n := len(s.logCopies.peers)
	s.logCopies.mu.Unlock()
	waited := s.cfg.Now().Sub(began)
	if s.cfg.InitialCluster == "" && waited < othersWithin && s.db.Snapshot().LogGroups.Len() > 0 {
		return false
	}
	if n >= s.copies() || waited < memberLife {
		return n >= s.copies()
	}
	s.cfg.Log.Error("log events may be missing: too few members say what they have", "members", n, "wanted", s.copies())
	return true
}
