package model

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// rowCodec takes the fields of a row one by one, and either writes or reads each: one list of fields serves both, so that
// they cannot disagree. Fields come in the order of their numbers, 1 to 63. One that is zero is left out, and one that the
// reader does not know is passed over.
//
// A field is a head, number<<2 | form, and what the form says; a row, and each element of a list, ends with a 0.
type rowCodec struct {
	out []byte // writing: the row so far

	reading bool
	row     string // reading: all of it; texts are parts of it
	at      int    // reading: where the rest begins
	head    byte   // reading: of the next field
	err     error
}

const (
	formNumber = iota // a varint
	formText          // its length, the text
	formShort         // a varint, see shortWord
	formList          // the number of elements, then each
)

// What a short text is: the low two bits of its varint. The rest is the number of a word, or the length of a text that
// follows, and which 16 bytes of a uuid follow, or the count of bytes that stand for twice as many hex digits, and they.
const (
	shortWord = iota
	shortHex
	shortUUID
)

// minHex is how many hex digits are worth packing.
const minHex = 16

var errRow = errors.New("damaged row")

// words are the texts that have a number. Rows are stored with the numbers: append only.
var words = []string{
	TaskProvisioning, TaskPending, TaskActivating, TaskRunning, TaskDeactivating, TaskStopping, TaskDeprovisioning, TaskStopped,
	"EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES", "FARGATE_SPOT", "bridge", "host", "none", "awsvpc", "tcp", "udp",
	StopTaskFailedToStart, StopEssentialContainerExited, StopUserInitiated, StopServiceSchedulerInitiated,
	"HEALTHY", "UNHEALTHY", "UNKNOWN", "ENABLED", "DISABLED", "TASK_DEFINITION", "SERVICE", "NONE", "LATEST", "1.4.0", "0.0.0.0",
	"ElasticNetworkInterface", "PRECREATED", "CREATED", "ATTACHING", "ATTACHED", "DETACHING", "DETACHED", "DELETED", "FAILED",
	ConstraintDistinctInstance, ConstraintMemberOf, StrategyRandom, StrategySpread, StrategyBinpack,
	FieldInstance, FieldCPU, FieldMemory, FieldAttribute + "ecs.availability-zone",
	"subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address",
}

var wordNumbers = func() map[string]int {
	m := make(map[string]int, len(words))
	for i, w := range words {
		m[w] = i
	}
	return m
}()

// begin writes a field's head.
func (c *rowCodec) begin(n, form int) { c.out = append(c.out, byte(n<<2|form)) }

// reach reports whether the field comes next in the row being read, having passed over those before it.
func (c *rowCodec) reach(n int) bool {
	for c.err == nil && c.head != 0 && int(c.head>>2) < n {
		c.pass()
		c.next()
	}
	return c.err == nil && int(c.head>>2) == n
}

// next reads the head of the next field.
func (c *rowCodec) next() {
	c.head = 0
	if c.at >= len(c.row) {
		c.err = errRow
	} else if c.err == nil {
		c.head = c.row[c.at]
		c.at++
	}
}

// pass passes over the value of the field whose head was read.
func (c *rowCodec) pass() {
	switch c.head & 3 {
	case formNumber:
		c.uvarint()
	case formList:
		for range c.uvarint() {
			if c.next(); c.err != nil {
				return
			}
			c.end()
		}
	default:
		c.readText()
	}
}

// end passes over the fields up to the end of the row or element.
func (c *rowCodec) end() {
	for c.err == nil && c.head != 0 {
		c.pass()
		c.next()
	}
}

func (c *rowCodec) uvarint() uint64 {
	var v uint64
	for shift := 0; c.at < len(c.row) && shift < 64; shift += 7 {
		b := c.row[c.at]
		c.at++
		if v |= uint64(b&0x7f) << shift; b < 0x80 {
			return v
		}
	}
	c.err = errRow
	return 0
}

// take reads so many bytes.
func (c *rowCodec) take(n uint64) string {
	if c.err != nil || n > uint64(len(c.row)-c.at) {
		c.err = errRow
		return ""
	}
	s := c.row[c.at : c.at+int(n)]
	c.at += int(n)
	return s
}

// number is a field of a whole number.
func number[I ~int32 | ~int64](c *rowCodec, n int, v *I) {
	switch {
	case !c.reading && *v != 0:
		c.begin(n, formNumber)
		c.out = binary.AppendVarint(c.out, int64(*v))
	case c.reading && c.reach(n):
		if c.head&3 != formNumber {
			c.err = errRow
		}
		u := c.uvarint()
		*v = I(int64(u>>1) ^ -int64(u&1))
		c.next()
	}
}

// flag is a field that is true or absent.
func (c *rowCodec) flag(n int, v *bool) {
	var i int32
	if *v {
		i = 1
	}
	number(c, n, &i)
	if c.reading { // rows that are written are read by others meanwhile
		*v = i != 0
	}
}

// text is a field of any text.
func (c *rowCodec) text(n int, v *string) {
	switch {
	case c.reading:
		if c.reach(n) {
			*v = c.readText()
			c.next()
		}
	case *v != "":
		c.begin(n, formText)
		c.out = binary.AppendUvarint(c.out, uint64(len(*v)))
		c.out = append(c.out, *v...)
	}
}

// word is a field of a text that probably is one of the words.
func (c *rowCodec) word(n int, v *string) {
	if i, ok := wordNumbers[*v]; ok && !c.reading {
		c.begin(n, formShort)
		c.out = binary.AppendUvarint(c.out, uint64(i<<2)) // a shortWord, which is 0
		return
	}
	c.text(n, v)
}

// id is a field of a text that probably ends in a uuid or in hex digits: an id or a digest.
func (c *rowCodec) id(n int, v *string) {
	if c.reading || !c.pack(n, *v) {
		c.text(n, v)
	}
}

// common is an id, or a text, that many rows have: those that are read share it.
func (c *rowCodec) common(n int, v *string) {
	c.id(n, v)
	if c.reading && *v != "" {
		*v = shared(*v)
	}
}

// pack writes the field short if the text allows it.
func (c *rowCodec) pack(n int, s string) bool {
	digits := 0
	for digits < len(s) && isHex(s[len(s)-1-digits]) {
		digits++
	}
	digits &^= 1
	switch {
	case digits >= minHex:
		head := s[:len(s)-digits]
		c.begin(n, formShort)
		c.out = binary.AppendUvarint(c.out, uint64(len(head)<<2|shortHex))
		c.out = append(c.out, head...)
		c.out = binary.AppendUvarint(c.out, uint64(digits/2))
		c.packHex(s[len(head):])
	case endsInUUID(s):
		head, u := s[:len(s)-36], s[len(s)-36:]
		c.begin(n, formShort)
		c.out = binary.AppendUvarint(c.out, uint64(len(head)<<2|shortUUID))
		c.out = append(c.out, head...)
		for _, part := range [...]string{u[:8], u[9:13], u[14:18], u[19:23], u[24:]} {
			c.packHex(part)
		}
	default:
		return false
	}
	return true
}

func (c *rowCodec) packHex(digits string) {
	for i := 0; i < len(digits); i += 2 {
		c.out = append(c.out, hexValue(digits[i])<<4|hexValue(digits[i+1]))
	}
}

func isHex(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' }

func hexValue(b byte) byte {
	if b >= 'a' {
		return b - 'a' + 10
	}
	return b - '0'
}

// endsInUUID reports whether the last 36 bytes are a uuid in lower case.
func endsInUUID(s string) bool {
	if len(s) < 36 {
		return false
	}
	s = s[len(s)-36:]
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !isHex(s[i]) {
			return false
		}
	}
	return true
}

// readText reads a text, long or short, after its head.
func (c *rowCodec) readText() string {
	v := c.uvarint()
	switch {
	case c.head&3 == formText:
		return c.take(v)
	case c.head&3 != formShort:
		c.err = errRow
		return ""
	}
	switch v & 3 {
	case shortWord:
		if v>>2 < uint64(len(words)) {
			return words[v>>2]
		}
	case shortHex:
		head := c.take(v >> 2)
		return head + hex.EncodeToString([]byte(c.take(c.uvarint())))
	case shortUUID:
		head := c.take(v >> 2)
		h := hex.EncodeToString([]byte(c.take(16)))
		if c.err == nil {
			return head + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
		}
	}
	c.err = errRow
	return ""
}

// list is a field of elements; one without any comes back nil.
func list[E any](c *rowCodec, n int, v *[]E, fields func(*E, *rowCodec)) {
	if !c.reading {
		if len(*v) == 0 {
			return
		}
		c.begin(n, formList)
		c.out = binary.AppendUvarint(c.out, uint64(len(*v)))
		for i := range *v {
			fields(&(*v)[i], c)
			c.out = append(c.out, 0)
		}
		return
	}
	if !c.reach(n) {
		return
	}
	count := c.uvarint()
	if c.head&3 != formList || count == 0 || count > uint64(len(c.row)-c.at) { // an element takes a byte at least
		c.err = errRow
		return
	}
	*v = make([]E, count)
	for i := range *v {
		c.next()
		fields(&(*v)[i], c)
		c.end()
	}
	c.next()
}
