// Package logs keeps what containers write to stdout and stderr on the node: one file a container, one JSON line a
// record ({"log","stream","time"}), written by a keeper process of its own so that neither a restart nor a kill -9
// of the agent loses a line or blocks a container, and read back by Read.
//
// Shipper sends them to where their log drivers send them, out of these files and in order: to CloudWatch Logs each line once.
//
// It must not know containerd, tasks or how the control plane is called: it sees fifos to read, files to write and their names.
package logs

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxLine is the longest Log of one Record, in bytes. A longer line is cut into records of which only the last one
// ends in "\n".
const MaxLine = 16 << 10

// Streams of a Record.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Record is one line of a container.
type Record struct {
	Log    string    `json:"log"` // with its "\n"; without one the line goes on in the next record of the stream
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"` // when the keeper read the line
}

// ParseRecord reads one line of a log file.
func ParseRecord(line []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, fmt.Errorf("parse log record: %w", err)
	}
	return r, nil
}

// appendRecord adds one record and its "\n" to dst. It is a tenth of encoding/json's cost, and this runs for every
// line of every container.
func appendRecord(dst, line []byte, stream string, at time.Time) []byte {
	dst = append(dst, `{"log":"`...)
	dst = appendEscaped(dst, line)
	dst = append(dst, `","stream":"`...)
	dst = append(dst, stream...)
	dst = append(dst, `","time":"`...)
	dst = at.UTC().AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"', '}', '\n')
}

// appendEscaped adds b as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD: JSON cannot carry them.
func appendEscaped(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c == '\n':
			dst = append(dst, '\\', 'n')
			i++
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst
}
