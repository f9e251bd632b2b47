package logdriver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// What of MessagePack the forward protocol of Fluentd needs.

func appendString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

func appendInt(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

func appendArray(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x90|byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdd), uint32(n))
}

func appendMap(b []byte, n int) []byte {
	if n < 16 {
		return append(b, 0x80|byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdf), uint32(n))
}

// appendEventTime adds Fluentd's extension 0: seconds and nanoseconds.
func appendEventTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint32(append(b, 0xd7, 0), uint32(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

// readAck reads {"ack": CHUNK}, the only answer of the protocol.
func readAck(r io.Reader) (string, error) {
	head := make([]byte, 1)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	if head[0] != 0x81 {
		return "", fmt.Errorf("an answer begins with %#x, not with a map of one", head[0])
	}
	key, err := readString(r)
	if err != nil {
		return "", err
	}
	if key != "ack" {
		return "", fmt.Errorf("an answer has %q, not ack", key)
	}
	return readString(r)
}

func readString(r io.Reader) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return "", err
	}
	n := int(head[0] & 0x1f)
	switch {
	case head[0]&0xe0 == 0xa0:
	case head[0] == 0xd9:
		if _, err := io.ReadFull(r, head[1:]); err != nil {
			return "", err
		}
		n = int(head[1])
	default:
		return "", errors.New("an answer has something other than a short string")
	}
	text := make([]byte, n)
	_, err := io.ReadFull(r, text)
	return string(text), err
}
