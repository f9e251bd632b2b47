package exec

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// Waits between two attempts to put a transcript away, and how long one may take.
const (
	settleFirst    = time.Second
	settleLast     = time.Minute
	settlePatience = 2 * time.Minute
)

// keptDir has the transcripts that nobody took, for an operator. They stay for a week, and the newest MiB of them.
const (
	keptDir  = "kept"
	keptLife = 7 * 24 * time.Hour
	keptSize = 512 << 20
)

// settle puts the transcript of a session that is over where it is to be, however long that takes, and then has the control plane told
// of the session. An agent that ends before leaves it to the next one.
func (s *Sessions) settle(ctx context.Context, j *journal) {
	for wait := settleFirst; !j.page.Settled; wait = min(2*wait, settleLast) {
		err := s.putAway(ctx, j)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return
		}
		s.cfg.Log.Warn("the transcript of a session waits", "session", j.page.Open.SessionID, "err", err, "retry", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
	s.note(j)
}

// putAway is one attempt.
func (s *Sessions) putAway(ctx context.Context, j *journal) error {
	r := j.page.Ended
	if r.Transcript != nil {
		ctx, cancel := context.WithTimeout(ctx, settlePatience)
		defer cancel()
		select {
		case s.putting <- struct{}{}: // one after the other: each is in memory
			defer func() { <-s.putting }()
		case <-ctx.Done():
			return ctx.Err()
		}
		who, err := s.cfg.Role(ctx, j.page.Open.TaskArn)
		if err == nil {
			err = put(ctx, who, j.page.Open.Log, j.file(".log"), r)
		}
		if e, ok := refusal(err); ok { // there is no role
			r.Transcript.Error, err = e.Message, nil
		}
		if err != nil {
			return err
		}
		if r.Transcript.Error != "" {
			if err := s.keep(j); err != nil {
				return err
			}
		}
	}
	j.page.Settled = true
	if err := j.save(); err != nil {
		return err
	}
	return removeFile(j.file(".log"))
}

// keep keeps a transcript that is refused.
func (s *Sessions) keep(j *journal) error {
	t := j.page.Ended.Transcript
	t.Kept = j.kept()
	err := os.Rename(j.file(".log"), t.Kept)
	if err == nil || os.IsNotExist(err) {
		err = errors.Join(j.syncDir(filepath.Dir(t.Kept)), j.syncDir(j.dir))
	}
	if err != nil {
		return fmt.Errorf("keep a transcript: %w", err)
	}
	s.cfg.Log.Warn("the transcript of a session is refused", "session", j.page.Open.SessionID, "task", j.page.Open.TaskArn, "err", t.Error, "kept", t.Kept)
	s.tidyKept(filepath.Join(j.dir, keptDir), time.Now())
	return nil
}

// tidyKept removes what has been kept for long enough, and the oldest of what is too much.
func (s *Sessions) tidyKept(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var size int64
	for _, f := range files {
		if size += f.Size(); size > keptSize || now.Sub(f.ModTime()) > keptLife {
			s.cfg.Log.Warn("a transcript is kept no longer", "file", f.Name(), "err", os.Remove(filepath.Join(dir, f.Name())))
		}
	}
}

func removeFile(name string) error {
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// note has the control plane told of a session that is over.
func (s *Sessions) note(j *journal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, j)
	for len(s.records) > maxRecords { // the log has them all
		s.drop(0)
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// maxRecords bounds the records that wait for the control plane.
const maxRecords = 10_000

// drop forgets a record; mu is held.
func (s *Sessions) drop(i int) {
	if err := s.records[i].remove(); err != nil {
		s.cfg.Log.Warn("forget a session", "err", err)
	}
	s.records = slices.Delete(s.records, i, i+1)
}

// Records are those that were not noted yet, and News says when there may be more.
func (s *Sessions) Records() []acs.RoadsteadExecEnded {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]acs.RoadsteadExecEnded, len(s.records))
	for i, j := range s.records {
		out[i] = *j.page.Ended
	}
	return out
}

// News has something when there is a new record.
func (s *Sessions) News() <-chan struct{} { return s.news }

// Noted forgets a record.
func (s *Sessions) Noted(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.records, func(j *journal) bool { return j.page.Open.SessionID == id }); i >= 0 {
		s.drop(i)
	}
}

// leftJournals are those of an earlier agent, and not of sessions that have been opened meanwhile.
func (s *Sessions) leftJournals() ([]*journal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return leftJournals(s.cfg.Dir, s.cfg.Log, s.cfg.Sync, func(id string) bool { return s.sessions[id] == nil })
}

// recall takes up what an earlier agent left.
func (s *Sessions) recall(settle func(*journal)) error {
	if err := os.MkdirAll(filepath.Join(s.cfg.Dir, keptDir), 0o700); err != nil {
		return fmt.Errorf("make the directory of sessions: %w", err)
	}
	s.tidyKept(filepath.Join(s.cfg.Dir, keptDir), time.Now())
	left, err := s.leftJournals()
	for _, j := range left {
		if !j.page.Settled { // its end was not written down
			_ = os.Rename(j.kept(), j.file(".log"))
		}
		settle(j)
	}
	return err
}
