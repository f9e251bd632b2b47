package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/roadstead/roadstead/agent/logdriver"
)

// A shipment is the file of one container on its way. Its exported fields are on the disk, as they were before the last call: a
// process that is killed within the call leaves in Flight what the next one asks the control plane about.
type shipment struct {
	shipper *Shipper
	ID      string `json:"id"`
	Path    string `json:"path"`
	Destination
	Offset int64 `json:"offset"`           // what is before it has been sent
	Last   int64 `json:"last,omitempty"`   // the time of the last event that was sent, epoch milliseconds
	Flight int64 `json:"flight,omitempty"` // the records from Offset up to here may have been sent; 0 if there are none
	// Parts are the lines that go on at Offset, by stream, of a Receiver.
	Parts map[string]part `json:"parts,omitempty"`

	driver logdriver.Driver // of a Receiver
	size   int64            // of the file, when it was looked at last
	grown  time.Time
	taken  atomic.Int64  // the Offset of whoever asks
	nudge  chan struct{} // holds a token when somebody waits
}

func newShipment(s *Shipper) *shipment { return &shipment{shipper: s, nudge: make(chan struct{}, 1)} }

func (sh *shipment) makeDriver() (err error) {
	sh.driver, err = sh.shipper.cfg.Driver(sh.Receiver.Driver, sh.Receiver.Options, sh.Receiver.Facts)
	return err
}

func (sh *shipment) close() {
	if sh.driver == nil {
		return
	}
	if err := sh.driver.Close(); err != nil {
		sh.shipper.cfg.Log.Debug("close log driver", "container", sh.ID, "err", err)
	}
}

// How long a shipment waits.
const (
	linger     = time.Second            // between two looks at the file
	idle       = 2 * time.Second        // when nothing has come for long
	promptly   = 100 * time.Millisecond // between two looks for a driver that sends lines as they come
	partAfter  = time.Second            // until a line without an end is sent as it is
	blockAfter = 5 * time.Second        // until lines that more may be added to are sent
	lastCall   = 2 * time.Second        // for what is there when the agent ends
	maxBackoff = 30 * time.Second

	firstBackoff = 100 * time.Millisecond
)

func (sh *shipment) file() string { return sh.shipper.File(sh.ID) }

// save writes the shipment down, as a whole or not at all.
func (sh *shipment) save() error {
	b, err := json.Marshal(sh)
	if err != nil {
		return err
	}
	if err := os.WriteFile(sh.file()+".tmp", b, 0o600); err != nil {
		return fmt.Errorf("write log shipment: %w", err)
	}
	return os.Rename(sh.file()+".tmp", sh.file())
}

// run sends until ctx ends, or the file is gone after its end.
func (sh *shipment) run(ctx context.Context) {
	defer sh.close()
	sh.grown = time.Now()
	for ctx.Err() == nil {
		known := sh.size > 0
		err := sh.look()
		if errors.Is(err, fs.ErrNotExist) && (known || time.Since(sh.grown) > time.Hour) {
			if sh.Offset < sh.size {
				sh.shipper.cfg.Log.Warn("log lines are lost: they went with their task", "container", sh.ID, "to", sh.to(), "bytes", sh.size-sh.Offset)
			}
			os.Remove(sh.file())
			return
		}
		if err == nil {
			err = sh.sendAll(ctx, false)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			sh.shipper.cfg.Log.Warn("read a log to send", "container", sh.ID, "err", err)
		}
		sh.taken.Store(sh.Offset)
		select {
		case <-ctx.Done():
		case <-sh.nudge:
		case <-time.After(sh.wait()):
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
	defer cancel()
	if err := errors.Join(sh.look(), sh.sendAll(last, true)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		sh.shipper.cfg.Log.Info("log lines wait for the next agent", "container", sh.ID, "err", err)
	}
}

// wait is how long it looks away.
func (sh *shipment) wait() time.Duration {
	quiet := time.Since(sh.grown) > 10*time.Second
	switch {
	case sh.driver != nil && !quiet:
		return promptly
	case quiet && sh.driver == nil:
		return idle
	}
	return linger
}

// look sees how long the file is.
func (sh *shipment) look() error {
	info, err := os.Stat(sh.Path)
	if err == nil && info.Size() != sh.size {
		sh.size, sh.grown = info.Size(), time.Now()
	}
	return err
}

// sendAll sends what the file has. At the end of the agent it tries once.
func (sh *shipment) sendAll(ctx context.Context, once bool) error {
	for wait := firstBackoff; ; wait = min(2*wait, maxBackoff) {
		more, err := sh.sendOne(ctx)
		var local *fs.PathError
		switch {
		case err == nil && !more:
			return nil
		case err == nil:
			wait = firstBackoff / 2
			continue
		case once, errors.As(err, &local):
			return err
		}
		level := slog.LevelDebug // of the same failure, once
		if wait == firstBackoff {
			level = slog.LevelWarn
		}
		sh.shipper.cfg.Log.Log(ctx, level, "log lines wait", "container", sh.ID, "to", sh.to(), "err", err, "retry", wait)
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-sh.nudge:
		case <-time.After(wait):
		}
	}
}

// to names the destination in the agent's log.
func (sh *shipment) to() string {
	if sh.Receiver != nil {
		return sh.Receiver.Driver
	}
	return sh.Group + ":" + sh.Stream
}

// sendOne sends one batch, and says whether there is more. Of a call that failed nobody knows whether it did its work, be it that
// its answer was lost: the next sendOne begins with the question.
func (sh *shipment) sendOne(ctx context.Context) (more bool, err error) {
	if sh.driver != nil {
		return sh.hand(ctx)
	}
	if sh.Flight != 0 {
		if err := sh.land(ctx); err != nil {
			return false, err
		}
	}
	if sh.Offset >= sh.size {
		return false, nil
	}
	b, err := readBatch(sh.Path, span{offset: sh.Offset}, sh.assembler(), sh.ripe())
	if err != nil || b.next == sh.Offset {
		return false, err
	}
	if len(b.events) > 0 {
		sh.Flight = b.next
		if err := sh.save(); err != nil {
			return false, err
		}
		if err := sh.put(ctx, b.events); err != nil {
			return false, err
		}
	}
	sh.arrived(&b)
	return b.more, sh.save() // the keeper looks there for room
}

// ripe says that nothing has come for so long that what is not whole is sent as it is.
func (sh *shipment) ripe() bool {
	after := partAfter
	if sh.Begins != "" {
		after = blockAfter
	}
	return time.Since(sh.grown) >= after
}

func (sh *shipment) assembler() *assembler {
	var begins *regexp.Regexp
	if sh.Begins != "" {
		begins = regexp.MustCompile(sh.Begins) // ReadDestination has tried
	}
	return newAssembler(begins, sh.Last)
}

// arrived goes on behind the batch. That is written down before the next call, or found out by land.
func (sh *shipment) arrived(b *batch) {
	sh.Offset, sh.Flight = b.next, 0
	if n := len(b.events); n > 0 {
		sh.Last = b.events[n-1].Timestamp
	}
}

// land finds out whether the batch arrived that was sent last: then the stream, in which nobody else writes, ends with it.
func (sh *shipment) land(ctx context.Context) error {
	b, err := readBatch(sh.Path, span{sh.Offset, sh.Flight}, sh.assembler(), true)
	if err != nil {
		return err
	}
	var there struct {
		Events []event `json:"events"`
	}
	if len(b.events) > 0 {
		err = sh.shipper.cfg.Call(ctx, sh.Task, "GetLogEvents", map[string]any{
			"logGroupName": sh.Group, "logStreamName": sh.Stream, "limit": len(b.events), "startFromHead": false,
		}, &there)
	}
	if err != nil && !isCode(err, "ResourceNotFoundException") { // without a stream it has not arrived
		return err
	}
	if sh.Flight = 0; slices.Equal(there.Events, b.events) {
		sh.arrived(&b)
	}
	return nil
}

// put sends events. A stream that is not there, of a member that has not led before, is made.
func (sh *shipment) put(ctx context.Context, events []event) error {
	in := map[string]any{"logGroupName": sh.Group, "logStreamName": sh.Stream, "logEvents": events}
	err := sh.shipper.cfg.Call(ctx, sh.Task, "PutLogEvents", in, nil)
	if !isCode(err, "ResourceNotFoundException") {
		return err
	}
	if err := sh.shipper.ensure(ctx, sh.Destination); err != nil {
		return err
	}
	return sh.shipper.cfg.Call(ctx, sh.Task, "PutLogEvents", in, nil)
}
