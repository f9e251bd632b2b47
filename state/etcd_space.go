package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

// space keeps the embedded member alive when its disk or its quota is full.
//
// Etcd ends the process when it cannot write its log. So a ballast file holds some of the disk back: below one ballast
// of free space writes are refused, below half of one the file is given up, and what etcd still does by itself
// (leases, compaction, page writes) lives on that. With space back, the file is made again and writes are taken again.
//
// Over its quota, etcd refuses writes until somebody compacts, defragments and disarms its alarm: done here.
type space struct {
	dir, file string
	ballast   int64
	quota     int64
	log       *slog.Logger
	free      func(dir string) (int64, error) // bytes of the disk that are free to us

	server  *etcdserver.EtcdServer
	client  *clientv3.Client
	over    chan struct{} // asks for the quota to be looked after
	stopped context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	held  bool // the ballast file is there
	short bool // writes are refused
	left  int64
}

const spaceInterval = 200 * time.Millisecond

func newSpace(cfg EtcdConfig) *space {
	return &space{
		dir: cfg.Dir, file: filepath.Join(cfg.Dir, "ballast"), ballast: cfg.Ballast, quota: cfg.Quota, log: cfg.Log,
		free: diskFree, over: make(chan struct{}, 1), stopped: func() {},
	}
}

func diskFree(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// prepare makes the disk fit for etcd to start on.
func (s *space) prepare() {
	if s.ballast < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := os.Stat(s.file)
	s.held = err == nil && st.Size() == s.ballast
	if !s.held { // of another size, or not finished
		_ = os.Remove(s.file)
	}
	s.look()
}

// start keeps looking until stop.
func (s *space) start(server *etcdserver.EtcdServer) {
	ctx, cancel := context.WithCancel(context.Background())
	s.server, s.client, s.stopped = server, v3client.New(server), cancel
	s.running.Go(func() { s.watchDisk(ctx) })
	s.running.Go(func() { s.watchQuota(ctx) })
	s.askQuota() // the alarm may have been on when the last process ended
}

// stop ends what start began.
func (s *space) stop() {
	s.stopped()
	s.running.Wait()
	if s.client != nil {
		_ = s.client.Close()
	}
}

func (s *space) watchDisk(ctx context.Context) {
	if s.ballast < 0 {
		return
	}
	for pause(ctx, spaceInterval) {
		s.mu.Lock()
		s.look()
		s.mu.Unlock()
	}
}

// admit returns ErrNoSpace while writes are refused.
func (s *space) admit() error {
	if s.ballast < 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	if s.short {
		return fmt.Errorf("%w: %d MiB free in %s, %d MiB needed: free disk space there",
			ErrNoSpace, s.left>>20, s.dir, s.wanted()>>20)
	}
	return nil
}

// wanted is how much must be free for writes to be taken again. Caller holds mu.
func (s *space) wanted() int64 {
	want := s.ballast + s.ballast/4
	if !s.held {
		want += s.ballast
	}
	return want
}

// look measures the disk and acts on it. Caller holds mu.
func (s *space) look() {
	left, err := s.free(s.dir)
	if err != nil {
		s.log.Warn("measure free disk space", "err", err)
		return
	}
	s.left = left
	if left < s.ballast/2 && s.held {
		s.log.Warn("disk is full, give up the ballast", "free", left, "dir", s.dir)
		if err := os.Remove(s.file); err != nil {
			s.log.Warn("remove ballast", "err", err)
			return
		}
		s.held = false
	}
	switch {
	case left < s.ballast && !s.short:
		s.short = true
		s.log.Warn("refuse writes until there is disk space", "free", left, "dir", s.dir)
	case left >= s.wanted() && !s.held:
		if err := s.fill(); err != nil {
			s.log.Warn("make ballast", "err", err)
			return
		}
		s.held = true
		s.look()
	case left >= s.wanted() && s.short:
		s.short = false
		s.log.Info("take writes again", "free", left, "dir", s.dir)
	}
}

// fill makes the ballast file, of real blocks.
func (s *space) fill() (err error) {
	f, err := os.OpenFile(s.file, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			if rm := os.Remove(s.file); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
				err = errors.Join(err, rm)
			}
		}
	}()
	if s.ballast == 0 {
		return nil
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, s.ballast)
	if !errors.Is(err, syscall.EOPNOTSUPP) {
		return err
	}
	for n := int64(0); n < s.ballast; n += 1 << 20 {
		if _, err := f.Write(make([]byte, min(1<<20, s.ballast-n))); err != nil {
			return err
		}
	}
	return f.Sync()
}

// askQuota has the quota looked after soon.
func (s *space) askQuota() {
	select {
	case s.over <- struct{}{}:
	default:
	}
}

// noQuota is the error for a write that etcd refused because of its quota.
func (e *Etcd) noQuota() error {
	if e.server == nil {
		return fmt.Errorf("%w: the etcd cluster is over its quota: compact and defragment it, and disarm its alarm", ErrNoSpace)
	}
	e.server.space.askQuota()
	return fmt.Errorf("%w: the state is over its quota of %d MiB: delete what is not needed, or raise the quota", ErrNoSpace, e.cfg.Quota>>20)
}

// watchQuota makes room when asked to, and again every second until there is some.
func (s *space) watchQuota(ctx context.Context) {
	for {
		select {
		case <-s.over:
		case <-ctx.Done():
			return
		}
		for {
			ok, err := s.makeRoom(ctx)
			if ok || ctx.Err() != nil {
				break
			}
			s.log.Warn("state is over its quota", "quota", s.quota, "err", err)
			if !pause(ctx, time.Second) {
				return
			}
		}
	}
}

// makeRoom reports whether etcd is under its quota and takes writes, after doing what it can for that.
func (s *space) makeRoom(ctx context.Context) (bool, error) {
	alarms, err := s.client.AlarmList(ctx)
	if err != nil {
		return false, fmt.Errorf("list alarms: %w", err)
	}
	full := slices.DeleteFunc(alarms.Alarms, func(a *pb.AlarmMember) bool {
		return a.Alarm != pb.AlarmType_NOSPACE
	})
	if len(full) == 0 {
		return true, nil
	}
	// The database file does not shrink by itself: old revisions first, then the holes they leave. Not through the
	// client, whose in-process kind cannot defragment.
	if _, err := s.client.Compact(ctx, s.server.KV().Rev(), clientv3.WithCompactPhysical()); err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return false, fmt.Errorf("compact: %w", err)
	}
	if err := s.server.Backend().Defrag(); err != nil {
		return false, fmt.Errorf("defragment: %w", err)
	}
	size := s.server.Backend().Size()
	if size >= s.quota*9/10 {
		return false, fmt.Errorf("%d bytes are in use", size)
	}
	for _, a := range full {
		if _, err := s.client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(a)); err != nil {
			return false, fmt.Errorf("disarm: %w", err)
		}
	}
	s.log.Info("state is under its quota again", "size", size, "quota", s.quota)
	return true, nil
}
