package exec

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// What is beyond 16 MiB is counted, and the transcript says that something is missing.
func TestTranscriptIsBounded(t *testing.T) {
	j, err := newJournal(t.TempDir(), slog.New(slog.DiscardHandler), &acs.RoadsteadOpenExec{SessionID: "s1", Log: &acs.ExecLog{Bucket: "b"}})
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
		if _, err := newJournal(t.TempDir(), slog.New(slog.DiscardHandler), &acs.RoadsteadOpenExec{SessionID: id}); err == nil {
			t.Errorf("%q is taken", id)
		}
	}
}
