package wire

import (
	"encoding/binary"
	"math"
)

// CBOR's major types.
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborList
	cborMap
	cborTag
	cborSimple
)

const (
	cborFalse     = 20
	cborTrue      = 21
	cborNull      = 22
	cborUndefined = 23
	cborHalf      = 25
	cborSingle    = 26
	cborDouble    = 27
	cborOpen      = 31 // indefinite length, or the break that ends it
	cborBreak     = 0xff
)

// A cborReader scans one CBOR item.
type cborReader struct {
	data     []byte
	pos      int
	depth    int
	elements int
}

// A cborHead is the start of an item: its major type, the low five bits, and the number they stand for (a value, a
// length, a tag or a float's bits).
type cborHead struct {
	major, low byte
	arg        uint64
}

func (h cborHead) open() bool { return h.low == cborOpen }
func (h cborHead) absent() bool {
	return h.major == cborSimple && (h.low == cborNull || h.low == cborUndefined)
}

func (r *cborReader) short() error { return syntaxError("Unexpected end of document.") }

func (r *cborReader) head() (cborHead, error) {
	if r.pos >= len(r.data) {
		return cborHead{}, r.short()
	}
	first := r.data[r.pos]
	h := cborHead{major: first >> 5, low: first & 31}
	r.pos++
	rest := r.data[r.pos:]
	switch {
	case h.low < 24:
		h.arg = uint64(h.low)
	case h.low <= 27:
		n := 1 << (h.low - 24)
		if len(rest) < n {
			return h, r.short()
		}
		switch n {
		case 1:
			h.arg = uint64(rest[0])
		case 2:
			h.arg = uint64(binary.BigEndian.Uint16(rest))
		case 4:
			h.arg = uint64(binary.BigEndian.Uint32(rest))
		default:
			h.arg = binary.BigEndian.Uint64(rest)
		}
		r.pos += n
	case h.open() && h.major >= cborBytes && h.major <= cborMap:
	default:
		return h, syntaxError("Malformed CBOR item.")
	}
	return h, nil
}

func (r *cborReader) enter() error {
	if r.depth++; r.depth > maxDepth {
		return syntaxError("The document nests too deeply.")
	}
	return nil
}

// count is called for each element that is kept.
func (r *cborReader) count() error {
	if r.elements++; r.elements > maxElements {
		return syntaxError("The document holds too many elements.")
	}
	return nil
}

// more reports whether element n of a list or map follows; it eats the break of an open one.
func (r *cborReader) more(h cborHead, n uint64) (bool, error) {
	if !h.open() {
		return n < h.arg, nil
	}
	if r.pos >= len(r.data) {
		return false, r.short()
	}
	if r.data[r.pos] == cborBreak {
		r.pos++
		return false, nil
	}
	return true, nil
}

// run returns the content of a byte or text string whose head was read. It may point into data.
func (r *cborReader) run(h cborHead) ([]byte, error) {
	if !h.open() {
		if h.arg > uint64(len(r.data)-r.pos) {
			return nil, r.short()
		}
		start := r.pos
		r.pos += int(h.arg)
		return r.data[start:r.pos], nil
	}
	joined := []byte{}
	for {
		if more, err := r.more(h, 0); err != nil || !more {
			return joined, err
		}
		part, err := r.head()
		if err != nil {
			return nil, err
		}
		if part.major != h.major || part.open() {
			return nil, syntaxError("Malformed CBOR string.")
		}
		content, err := r.run(part)
		if err != nil {
			return nil, err
		}
		joined = append(joined, content...)
	}
}

// key reads a map's key.
func (r *cborReader) key() (string, error) {
	h, err := r.head()
	if err != nil {
		return "", err
	}
	if h.major != cborText {
		return "", syntaxError("A map's key must be a string.")
	}
	raw, err := r.run(h)
	return string(raw), err
}

// skip reads over the rest of an item whose head was read.
func (r *cborReader) skip(h cborHead) error {
	switch h.major {
	case cborBytes, cborText:
		_, err := r.run(h)
		return err
	case cborList, cborMap, cborTag:
		if err := r.enter(); err != nil {
			return err
		}
		defer func() { r.depth-- }()
		if h.major == cborTag {
			return r.skipNext()
		}
		for n := uint64(0); ; n++ {
			if more, err := r.more(h, n); err != nil || !more {
				return err
			}
			if h.major == cborMap {
				if _, err := r.key(); err != nil {
					return err
				}
			}
			if err := r.skipNext(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *cborReader) skipNext() error {
	h, err := r.head()
	if err != nil {
		return err
	}
	return r.skip(h)
}

// float returns the value of a float item.
func (h cborHead) float() (float64, bool) {
	if h.major != cborSimple {
		return 0, false
	}
	switch h.low {
	case cborHalf:
		return halfFloat(uint16(h.arg)), true
	case cborSingle:
		return float64(math.Float32frombits(uint32(h.arg))), true
	case cborDouble:
		return math.Float64frombits(h.arg), true
	}
	return 0, false
}

// integer returns the value of an integer item.
func (h cborHead) integer() (int64, bool) {
	if h.arg > math.MaxInt64 {
		return 0, false
	}
	switch h.major {
	case cborUint:
		return int64(h.arg), true
	case cborNegative:
		return -1 - int64(h.arg), true
	}
	return 0, false
}

// halfFloat widens an IEEE 754 binary16.
func halfFloat(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&31), float64(bits&1023)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
