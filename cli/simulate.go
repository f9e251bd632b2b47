package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/roadstead/roadstead/simulate"
)

func newSimulate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate FILE",
		Short: "Play a day of a cluster in seconds, and ask what if",
		Long: `Plays a file of nodes, task definitions and timed events against the control plane's own code, on virtual time and with
nodes that are modelled, and prints what happened and a summary. Nothing is run and nobody is called. The same file and seed
give the same transcript, to the last byte.

Each --what-if plays the file once more with further events, and the summaries stand side by side.`,
		Example: `  roadstead simulate day.yaml
  roadstead simulate day.yaml --what-if 'at 02:00 kill n2' --what-if 'at 02:00 kill zone a for 1h'
  roadstead simulate day.yaml --seed 7 --until 72h --transcript day.log --quiet

A small file:

  nodes:
    n: {count: 3, zones: [a, b, c], cpu: 4096, memory: 16GiB}
  tasks:
    web: {cpu: 256, memory: 512, start: 2s..10s, run: exp 1h, fails: 1%}
  events:
    - every 10m run 5 web spread zone
    - at 02:00 kill n2 for 20m`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	seed := f.Uint64("seed", 0, "what everything random is drawn from (default: the file's)")
	until := f.Duration("until", 0, "how long to play, 24h (default: what the file says)")
	transcript := f.String("transcript", "", "file for everything that happened, - for standard output")
	quiet := f.BoolP("quiet", "q", false, "print the summary only")
	whatIf := f.StringArray("what-if", nil, "further events, separated by ';', of one more run; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := readSimulation(args[0])
		if err != nil {
			return err
		}
		file.Seed, file.Until = cmp.Or(*seed, file.Seed), cmp.Or(*until, file.Until)
		p := player{cmd: cmd, out: bufio.NewWriter(cmd.OutOrStdout()), quiet: *quiet}
		defer p.out.Flush()
		closeTranscript, err := p.open(*transcript)
		if err != nil {
			return err
		}
		err = p.playAll(file, append(file.WhatIfs, *whatIf...))
		return errors.Join(err, closeTranscript())
	}
	return cmd
}

func readSimulation(path string) (*simulate.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := simulate.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// player plays a file and its variants.
type player struct {
	cmd     *cobra.Command
	out     *bufio.Writer
	quiet   bool
	full    io.Writer    // may be nil
	written bytes.Buffer // the story of the file as it is written
	columns []simulate.Column
	placed  int
	took    time.Duration
}

// open begins the transcript, and returns what ends it.
func (p *player) open(path string) (func() error, error) {
	switch path {
	case "":
		return func() error { return nil }, nil
	case "-":
		p.full, p.quiet = p.out, true
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriter(f)
	p.full = w
	return func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

// playAll plays the file as it is written and with each of the what-ifs, and prints the summaries.
func (p *player) playAll(file *simulate.File, whatIfs []string) error {
	if err := p.play("as written", file); err != nil {
		return err
	}
	for _, what := range whatIfs {
		variant, err := file.WhatIf(what)
		if err != nil {
			return fmt.Errorf("--what-if: %w", err)
		}
		if err := p.play(what, variant); err != nil {
			return err
		}
	}
	if err := simulate.Report(p.out, p.columns...); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\n%d tasks placed in %.1f s: %.0f a second.\n", p.placed, p.took.Seconds(), float64(p.placed)/max(p.took.Seconds(), 1e-9))
	for _, c := range p.columns {
		if len(c.Violations) > 0 {
			return fmt.Errorf("invariants of the control plane are violated with seed %d: please report it with the file", file.Seed)
		}
	}
	return nil
}

func (p *player) play(title string, file *simulate.File) error {
	if p.full != nil && len(p.columns) > 0 {
		fmt.Fprintf(p.full, "\nwhat if: %s\n", title)
	}
	o := simulate.Options{Transcript: p.full}
	var story bytes.Buffer
	switch {
	case p.quiet:
	case len(p.columns) == 0:
		o.Story = io.MultiWriter(p.out, &p.written)
	default:
		o.Story = &story
	}
	began := time.Now()
	r, err := file.Run(p.cmd.Context(), o)
	if err != nil {
		return err
	}
	if story.Len() > 0 {
		fmt.Fprintf(p.out, "\nwhat if: %s\n%s", title, simulate.Departure(p.written.Bytes(), story.Bytes()))
	}
	p.took += time.Since(began)
	p.placed += r.Placed
	p.columns = append(p.columns, simulate.Column{Title: title, Result: r})
	return nil
}
