package logs

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// split feeds pieces to a splitter and returns its records.
func split(t interface{ Fatal(...any) }, pieces ...[]byte) []Record {
	var file bytes.Buffer
	s := &splitter{stream: Stdout, to: &file}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, p := range pieces {
		if err := s.write(p, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.end(at); err != nil {
		t.Fatal(err)
	}
	var out []Record
	for line := range bytes.Lines(file.Bytes()) {
		r, err := ParseRecord(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestRecordFormat(t *testing.T) {
	got := string(appendRecord(nil, []byte("a\"b\\\x00é\n"), Stderr, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("x", 3600))))
	want := `{"log":"a\"b\\\u0000é\n","stream":"stderr","time":"2026-01-02T02:04:05.000006Z"}` + "\n"
	if got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestLongLinesAreCut(t *testing.T) {
	line := strings.Repeat("é", MaxLine) + "\n"
	got := split(t, []byte(line))
	var all string
	for i, r := range got {
		all += r.Log
		if len(r.Log) > MaxLine || strings.HasSuffix(r.Log, "\n") != (i == len(got)-1) {
			t.Errorf("record %d has %d bytes", i, len(r.Log))
		}
	}
	if all != line {
		t.Error("the line is not whole")
	}
}

// However a text arrives, its records put together are the text, and each but the long and the last is a line.
func TestSplitterKeepsTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.StringMatching(`[ -~é]{0,40}\n?`), 0, 50).Draw(t, "text"), "")
		if rapid.Bool().Draw(t, "long") {
			text += strings.Repeat("x", rapid.IntRange(0, 3*MaxLine).Draw(t, "length"))
		}
		var pieces [][]byte
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		var all string
		for _, r := range split(t, pieces...) {
			if len(r.Log) == 0 || len(r.Log) > MaxLine {
				t.Fatalf("record of %d bytes", len(r.Log))
			}
			all += r.Log
		}
		if all != text {
			t.Fatalf("got %q of %q", all, text)
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	line := []byte(strings.Repeat("a line as programs write them, of about eighty characters with some more words\n", 100))
	s := &splitter{stream: Stdout, to: io.Discard}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.write(line, time.Unix(0, 0)); err != nil {
			b.Fatal(err)
		}
	}
}
