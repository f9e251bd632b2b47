package exec

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// maxTranscript bounds what is recorded of one session, in bytes.
const maxTranscript = 16 << 20

// cutLine ends a transcript that was longer.
const cutLine = "\n[Roadstead records the first 16 MiB of a session. The rest is not here.]\n"

// A journal is what the disk has of one session: a file that says who opened it, and how it ended, until the control plane has noted
// that; and, if it is wished for, a transcript of what it shows. Both outlive an agent that is killed.
type journal struct {
	dir  string
	page page

	transcript *os.File // nil before the command begins, after its end, and of a session without
	room       int64
	missed     int64
	warned     bool
	log        *slog.Logger
	sync       func(*os.File) error
}

// page is the first of the files.
type page struct {
	Open      acs.RoadsteadOpenExec   `json:"open"`
	StartedAt int64                   `json:"startedAt,omitempty"` // ms
	Ended     *acs.RoadsteadExecEnded `json:"ended,omitempty"`
	Settled   bool                    `json:"settled,omitempty"` // the transcript is where it is going to be
}

// newJournal begins the journal of a session.
func newJournal(dir string, log *slog.Logger, sync func(*os.File) error, m *acs.RoadsteadOpenExec) (*journal, error) {
	if m.SessionID == "" || strings.ContainsAny(m.SessionID, "/\x00") || strings.HasPrefix(m.SessionID, ".") {
		return nil, fmt.Errorf("session id %q is no name", m.SessionID)
	}
	if err := os.MkdirAll(filepath.Join(dir, keptDir), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of sessions: %w", err)
	}
	j := &journal{dir: dir, log: log, sync: sync, page: page{Open: *m}}
	return j, j.save()
}

func (j *journal) file(suffix string) string {
	return filepath.Join(j.dir, j.page.Open.SessionID+suffix)
}

// kept is where a transcript stays that nobody took.
func (j *journal) kept() string { return filepath.Join(j.dir, keptDir, j.page.Open.SessionID+".log") }

// save writes the page, as a whole or not at all, also on a machine that loses power.
func (j *journal) save() error {
	b, err := json.Marshal(&j.page)
	if err != nil {
		return err
	}
	if err := j.replace(b); err != nil {
		return fmt.Errorf("write down a session: %w", err)
	}
	return nil
}

func (j *journal) replace(page []byte) error {
	f, err := os.OpenFile(j.file(".tmp"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(page)
	if err == nil {
		err = j.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(j.file(".tmp"), j.file(".json")); err != nil {
		return err
	}
	return j.syncDir(j.dir)
}

func (j *journal) syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return j.sync(d)
}

// records says whether there is to be a transcript.
func (j *journal) records() bool { return j.page.Open.Log != nil && j.page.Open.Port == nil }

// begin is called before the command begins.
func (j *journal) begin(now time.Time) error {
	j.page.StartedAt = now.UnixMilli()
	if err := j.save(); err != nil {
		return err
	}
	if !j.records() {
		return nil
	}
	f, err := os.OpenFile(j.file(".log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the transcript: %w", err)
	}
	j.transcript, j.room = f, maxTranscript
	return nil
}

// shows writes down what the session shows, before anybody sees it. What there is no room for is counted.
func (j *journal) shows(b []byte) {
	if j.transcript == nil {
		return
	}
	if j.room < 0 {
		j.missed += int64(len(b))
		return
	}
	fits := b[:min(int64(len(b)), j.room)]
	n, err := j.transcript.Write(fits)
	j.room -= int64(n)
	j.missed += int64(len(b) - n)
	if err == nil && len(fits) < len(b) {
		_, err = j.transcript.WriteString(cutLine)
		j.room = -1
	}
	if err != nil && !j.warned { // a full disk; there may be room again
		j.warned = true
		j.log.Warn("record what a session shows", "session", j.page.Open.SessionID, "err", err)
	}
}

// end writes down how the session ended.
func (j *journal) end(r acs.RoadsteadExecEnded) error {
	if j.transcript != nil {
		if err := j.sync(j.transcript); err != nil { // the disk has what it has
			j.log.Warn("record what a session shows", "session", j.page.Open.SessionID, "err", err)
		}
		j.transcript.Close()
		j.transcript = nil
	}
	if j.records() && r.StartedAt != 0 {
		r.Transcript = &acs.ExecTranscript{Missed: j.missed}
	}
	j.page.Ended = &r
	return j.save()
}

// remove forgets the session.
func (j *journal) remove() error {
	for _, suffix := range []string{".log", ".json"} {
		if err := os.Remove(j.file(suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// leftJournals are those of the sessions that left says, oldest first. One whose session did not end was cut short with its agent. An
// error is about some of them, and the others are there.
func leftJournals(dir string, log *slog.Logger, sync func(*os.File) error, left func(id string) bool) ([]*journal, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []*journal
	var errs []error
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		if id, ok := strings.CutSuffix(f.Name(), ".json"); !ok || !left(id) {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read about a session: %w", err))
			continue
		}
		j := &journal{dir: dir, log: log, sync: sync}
		if json.Unmarshal(b, &j.page) != nil || j.file(".json") != name {
			log.Warn("a session's file is damaged, by a machine that lost power perhaps: it stays as it is", "file", name)
			continue
		}
		if j.page.Ended == nil {
			errs = append(errs, j.cutShort(name)) // what could not be written down is known all the same
		}
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b *journal) int { return cmp.Compare(a.page.Ended.EndedAt, b.page.Ended.EndedAt) })
	return all, errors.Join(errs...)
}

// cutShort writes down the end of a session that nobody saw: it went on for as long as its files say.
func (j *journal) cutShort(page string) error {
	r := endedOf(&j.page.Open)
	r.StartedAt, r.Reason = j.page.StartedAt, endKilled
	for _, name := range []string{page, j.file(".log")} {
		if info, err := os.Stat(name); err == nil {
			r.EndedAt = max(r.EndedAt, info.ModTime().UnixMilli())
			if name != page {
				r.BytesOut = info.Size()
			}
		}
	}
	return j.end(r)
}
