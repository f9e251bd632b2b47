package logs

import (
	"bytes"
	"io"
	"time"
	"unicode/utf8"
)

// splitter cuts one stream into records. It belongs to one goroutine.
type splitter struct {
	stream string
	to     io.Writer // a sink; whole records at once
	rest   []byte    // the beginning of a line whose end has not come yet, shorter than MaxLine
	out    []byte
}

// write takes what was read at one moment.
func (s *splitter) write(b []byte, at time.Time) error {
	s.out = s.out[:0]
	s.rest = append(s.rest, b...)
	data := s.rest
	for len(data) > 0 {
		n := bytes.IndexByte(data, '\n') + 1
		switch {
		case n > MaxLine || (n == 0 && len(data) >= MaxLine):
			n = cutAt(data, MaxLine)
		case n == 0:
			s.rest = append(s.rest[:0], data...)
			return s.flush()
		}
		s.out = appendRecord(s.out, data[:n], s.stream, at)
		data = data[n:]
	}
	s.rest = s.rest[:0]
	return s.flush()
}

// end writes the last line, which has no "\n".
func (s *splitter) end(at time.Time) error {
	if len(s.rest) == 0 {
		return nil
	}
	s.out = appendRecord(s.out[:0], s.rest, s.stream, at)
	s.rest = s.rest[:0]
	return s.flush()
}

func (s *splitter) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	_, err := s.to.Write(s.out)
	return err
}

// cutAt returns where to cut data at or a little before limit so that no rune is torn.
func cutAt(data []byte, limit int) int {
	for n := limit; n > limit-utf8.UTFMax; n-- {
		if n == len(data) || utf8.RuneStart(data[n]) {
			return n
		}
	}
	return limit
}
