package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// What is beyond 16 MiB is counted, and the transcript says that something is missing.
func TestTranscriptIsBounded(t *testing.T) {
	j, err := newJournal(t.TempDir(), slog.New(slog.DiscardHandler), (*os.File).Sync, &acs.RoadsteadOpenExec{SessionID: "s1", Log: &acs.ExecLog{Bucket: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.begin(time.Now()); err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("0123456789"), 400)
	for n := 0; n <= maxTranscript; n += len(piece) {
		j.shows(piece)
	}
	j.shows([]byte("beyond"))
	if err := j.end(acs.RoadsteadExecEnded{StartedAt: 1}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(j.file(".log"))
	if err != nil {
		t.Fatal(err)
	}
	missed := int64((maxTranscript/len(piece)+1)*len(piece) - maxTranscript + len("beyond"))
	if text, ok := strings.CutSuffix(string(b), cutLine); !ok || len(text) != maxTranscript || j.page.Ended.Transcript.Missed != missed {
		t.Errorf("%d bytes, %+v, want %d missed", len(b), j.page.Ended.Transcript, missed)
	}
}

// A session's id becomes a file's name: nothing else may be named with it.
func TestJournalNames(t *testing.T) {
	for _, id := range []string{"", "../x", ".x", "a/b", "a\x00b"} {
		if _, err := newJournal(t.TempDir(), slog.New(slog.DiscardHandler), (*os.File).Sync, &acs.RoadsteadOpenExec{SessionID: id}); err == nil {
			t.Errorf("%q is taken", id)
		}
	}
}

// taker takes everything.
type taker struct{ key string }

func (*taker) Call(context.Context, string, string, any, any) error         { return nil }
func (*taker) BucketEncrypted(context.Context, string) error                { return nil }
func (t *taker) PutObject(_ context.Context, _, key string, _ []byte) error { t.key = key; return nil }

// The record says how much is missing, and a prefix may end with a slash, or without one [D].
func TestPut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s1.log")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for prefix, key := range map[string]string{"": "s1.log", "p": "p/s1.log", "p/q/": "p/q/s1.log"} {
		r, who := acs.RoadsteadExecEnded{SessionID: "s1", Transcript: &acs.ExecTranscript{Missed: 7}}, &taker{}
		err := put(t.Context(), who, &acs.ExecLog{Bucket: "b", Prefix: prefix}, file, &r)
		if want := (acs.ExecTranscript{Bucket: "b", Key: key, Bytes: 4, Missed: 7}); err != nil || *r.Transcript != want || who.key != key {
			t.Errorf("%q: %+v at %s, %v", prefix, r.Transcript, who.key, err)
		}
	}
}

// Transcripts that nobody took are kept for a week, and the newest 512 MiB of them.
func TestTidyKept(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for i, age := range []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour, 8 * 24 * time.Hour} {
		name := filepath.Join(dir, fmt.Sprint(i))
		f, err := os.Create(name)
		if err == nil && i < 3 {
			err = f.Truncate(200 << 20) // it has no blocks on the disk
		}
		f.Close()
		if err == nil {
			err = os.Chtimes(name, now.Add(-age), now.Add(-age))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &Sessions{cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	s.tidyKept(dir, now)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || left[0].Name() != "0" || left[1].Name() != "1" {
		t.Errorf("%v, %v", left, err)
	}
}

// What an earlier agent left is found, whatever the data directory is called.
func TestLeftJournals(t *testing.T) {
	dir, log := filepath.Join(t.TempDir(), "exec [of] *"), slog.New(slog.DiscardHandler)
	for _, id := range []string{"s1", "s2", "s3"} {
		j, err := newJournal(dir, log, (*os.File).Sync, &acs.RoadsteadOpenExec{SessionID: id, Log: &acs.ExecLog{Bucket: "b"}})
		if err == nil {
			err = j.begin(time.Now())
		}
		if err == nil && id != "s3" {
			err = j.end(acs.RoadsteadExecEnded{SessionID: id, StartedAt: 1, EndedAt: 2})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	left, err := leftJournals(dir, log, (*os.File).Sync, func(id string) bool { return id != "s2" })
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, j := range left {
		ids = append(ids, j.page.Open.SessionID)
	}
	if got := strings.Join(ids, " "); got != "s1 s3" {
		t.Errorf("left: %q", got)
	}
}

// A machine that loses power has the last page of a session whole, and what it showed: what is written is on the disk before it has its
// name, and then the name is.
func TestJournalIsDurable(t *testing.T) {
	var synced []string // "NAME: what the page says then"
	dir := t.TempDir()
	sync := func(f *os.File) error {
		page, _ := os.ReadFile(filepath.Join(dir, "s1.json"))
		name, _ := filepath.Rel(dir, f.Name())
		_, after, _ := strings.Cut(string(page), `"startedAt":`)
		synced = append(synced, name+":"+after[:min(len(after), 1)])
		return nil
	}
	j, err := newJournal(dir, slog.New(slog.DiscardHandler), sync, &acs.RoadsteadOpenExec{SessionID: "s1", Log: &acs.ExecLog{Bucket: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.begin(time.UnixMilli(7)); err != nil {
		t.Fatal(err)
	}
	j.shows([]byte("text"))
	if err := j.end(acs.RoadsteadExecEnded{SessionID: "s1", StartedAt: 7, EndedAt: 8}); err != nil {
		t.Fatal(err)
	}
	s := New(Config{Log: slog.New(slog.DiscardHandler)})
	if err := s.keep(j); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(synced, " "), "s1.tmp: .: s1.tmp: .:7 s1.log:7 s1.tmp:7 .:7 kept:7 .:7"; got != want {
		t.Errorf("synced\n%s, want\n%s", got, want)
	}
	broken := errors.New("broken")
	j.sync, j.page.StartedAt = func(*os.File) error { return broken }, 9
	if err := j.save(); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if page, err := os.ReadFile(j.file(".json")); err != nil || strings.Contains(string(page), `"startedAt":9`) {
		t.Errorf("a page that is not on the disk has its name: %s, %v", page, err)
	}
}
