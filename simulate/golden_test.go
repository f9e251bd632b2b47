package simulate_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/roadstead/roadstead/simulate"
)

var update = flag.Bool("update", false, "rewrite the transcripts of the examples") //nolint:gochecknoglobals // a flag

// short is how many lines of a transcript are worth keeping whole: of a longer one the story is.
const short = 150

// play reads a file and plays it as it is written and with each of its what-ifs, and returns what is to be compared.
func play(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := simulate.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var out, written bytes.Buffer
	var columns []simulate.Column
	for i, title := range append([]string{"as written"}, f.WhatIfs...) {
		variant := f
		if i > 0 {
			if variant, err = f.WhatIf(title); err != nil {
				t.Fatal(err)
			}
		}
		var full, story bytes.Buffer
		r, err := variant.Run(t.Context(), simulate.Options{Story: &story, Transcript: &full})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range r.Violations {
			t.Errorf("%s: violated: %s", title, v)
		}
		if strings.Count(full.String(), "\n") <= short {
			story = full
		}
		if i == 0 {
			written = story
			out.Write(story.Bytes())
		} else {
			fmt.Fprintf(&out, "\nwhat if: %s\n%s", title, simulate.Departure(written.Bytes(), story.Bytes()))
		}
		columns = append(columns, simulate.Column{Title: title, Result: r})
	}
	if err := simulate.Report(&out, columns...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The examples go as they went before, to the last byte, however many processors there are.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			got := play(t, file)
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs (-update rewrites it): %s", golden, firstDifference(string(want), got))
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			if again := play(t, file); again != got {
				t.Errorf("the second run differs from the first: %s", firstDifference(got, again))
			}
		})
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d\n  %s\n  %s", i+1, as[i], bs[i])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(as), len(bs))
}

// The file that the manual shows can be played.
func TestFileInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../docs/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(manual), "```yaml\n")
	file, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("no file in the manual")
	}
	f, err := simulate.Read(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Run(t.Context(), simulate.Options{})
	if err != nil || r.Placed < 100 {
		t.Errorf("%v, %d tasks placed", err, r.Placed)
	}
}
