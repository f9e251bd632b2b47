package logs

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/roadstead/roadstead/agent/logdriver"
)

// Receiver is where lines go that do not go to CloudWatch Logs.
type Receiver struct {
	Driver  string            `json:"driver"` // as logdriver names it
	Options map[string]string `json:"options,omitempty"`
	Facts   logdriver.Facts   `json:"facts"`
}

// What is handed to a driver at once. What was taken is known for all of it or for nothing.
const (
	maxMessages     = 2000
	maxMessageBytes = 256 << 10
)

// A part is a line of a stream that goes on: what came of it.
type part struct {
	ID      string `json:"id"`
	Ordinal int    `json:"ordinal"`
}

// readMessages reads messages from offset on, and where the next begin. parts are the lines that go on there, by stream; it returns
// those at the end.
func readMessages(path, id string, offset int64, parts map[string]part) ([]logdriver.Message, int64, map[string]part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, offset, parts, err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, offset, parts, err
	}
	parts = maps.Clone(parts)
	if parts == nil {
		parts = map[string]part{}
	}
	in := bufio.NewReaderSize(f, 64<<10)
	var all []logdriver.Message
	for size := 0; len(all) < maxMessages && size < maxMessageBytes; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, offset, parts, err
		}
		if r, err := ParseRecord(line); err == nil { // others were torn by a machine that lost power
			all = append(all, message(&r, id, offset, parts))
		}
		size += len(line)
		offset += int64(len(line))
	}
	return all, offset, parts, nil
}

// message makes one of a record, and notes whether its line goes on. A record without an end of line goes on if it is as long as
// records get; a shorter one is the last of its stream.
func message(r *Record, id string, offset int64, parts map[string]part) logdriver.Message {
	text, whole := strings.CutSuffix(r.Log, "\n")
	m := logdriver.Message{Line: text, Stream: r.Stream, Time: r.Time}
	goesOn := !whole && len(text) > MaxLine-utf8.UTFMax
	p, open := parts[r.Stream]
	if !open && !goesOn {
		return m
	}
	if !open {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", id, offset))
		p.ID = hex.EncodeToString(sum[:])
	}
	p.Ordinal++
	m.Partial = &logdriver.Partial{ID: p.ID, Ordinal: p.Ordinal, Last: !goesOn}
	if goesOn {
		parts[r.Stream] = p
	} else {
		delete(parts, r.Stream)
	}
	return m
}

// hand has the driver take a batch of messages, and says whether there are more. Without any the driver looks after those before.
func (sh *shipment) hand(ctx context.Context) (more bool, err error) {
	if sh.Offset >= sh.size {
		return false, sh.driver.Send(ctx, nil)
	}
	messages, next, parts, err := readMessages(sh.Path, sh.ID, sh.Offset, sh.Parts)
	if err != nil || next == sh.Offset {
		return false, err
	}
	err = sh.driver.Send(ctx, messages)
	if refusal, ok := errors.AsType[*logdriver.Refusal](err); ok {
		sh.shipper.cfg.Log.Warn("log lines are refused, and lost", "container", sh.ID, "driver", sh.Receiver.Driver, "lines", len(messages), "err", refusal)
		err = nil
	}
	if err != nil {
		return false, err
	}
	sh.Offset, sh.Parts = next, parts
	return next < sh.size, sh.save()
}
