package logstore

import "encoding/binary"

// A summary says what a part of a group holds: a frame, a block, a file or a stream.
type summary struct {
	first, last int64 // times of events; of nothing if count is 0
	ingested    int64 // the last one's
	count       int64
	bytes       int64 // of messages
}

func (s *summary) add(e *Event) {
	s.merge(summary{e.Time, e.Time, e.Ingested, 1, int64(len(e.Message))})
}

func (s *summary) merge(o summary) {
	if o.count == 0 {
		return
	}
	if s.count == 0 {
		s.first, s.last, s.ingested = o.first, o.last, o.ingested
	}
	s.first, s.last, s.ingested = min(s.first, o.first), max(s.last, o.last), max(s.ingested, o.ingested)
	s.count += o.count
	s.bytes += o.bytes
}

func (s *summary) append(dst []byte) []byte {
	dst = binary.AppendVarint(dst, s.first)
	dst = binary.AppendVarint(dst, s.last-s.first)
	dst = binary.AppendVarint(dst, s.ingested)
	dst = binary.AppendUvarint(dst, uint64(s.count))
	return binary.AppendUvarint(dst, uint64(s.bytes))
}

func (r *reader) summary() summary {
	s := summary{first: r.int()}
	s.last = s.first + r.int()
	s.ingested, s.count, s.bytes = r.int(), int64(r.uint()), int64(r.uint())
	return s
}
