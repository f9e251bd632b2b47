package logstore

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// A Key is a data key, with which events are encrypted (AES-256-GCM), and its wrapped form, which is written beside them: who can open
// that can read them. It is safe for concurrent use, and for several groups.
type Key struct {
	wrapped []byte
	aead    cipher.AEAD
	uses    atomic.Int64
}

// maxUses is far below the 2^32 messages at which random nonces of 96 bits are said to be used up (NIST SP 800-38D, 8.3).
const maxUses = 1 << 24

// NewKey returns a data key of 32 bytes.
func NewKey(plain, wrapped []byte) (*Key, error) {
	aead, err := newAEAD(plain)
	return &Key{wrapped: wrapped, aead: aead}, err
}

// Worn says that the key has encrypted enough: what comes now had better have another.
func (k *Key) Worn() bool { return k.uses.Load() >= maxUses }

func (k *Key) seal(dst, plain, about []byte) []byte {
	k.uses.Add(1)
	return k.aead.Seal(dst, nil, plain, about)
}

func newAEAD(plain []byte) (cipher.AEAD, error) {
	if len(plain) != 32 {
		return nil, fmt.Errorf("a data key of log events has %d bytes, not 32", len(plain))
	}
	block, err := aes.NewCipher(plain)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// errTampered says that what is encrypted is not what was written there.
var errTampered = errors.New("encrypted log events are damaged, or are not those that were written there")

// A lock is a data key in a file, whose locks count from 1.
type lock struct {
	wrapped []byte
	key     *Key // nil if another process wrote it
}

// ErrShut says that a data key cannot be opened now; errors that are it are also why.
var ErrShut = errors.New("the data key of log events cannot be opened")

type shut struct{ error }

// Is makes it ErrShut.
func (s shut) Is(target error) bool { return target == ErrShut }

// Unwrap is why.
func (s shut) Unwrap() error { return s.error }

// ErrGone says besides that it will never be opened again: what it encrypts is lost.
var ErrGone = errors.New("the data key of log events is gone for good")

// Gone makes an error of Config.Open one that says so.
func Gone(err error) error { return gone{err} }

type gone struct{ error }

// Is makes it ErrGone.
func (g gone) Is(target error) bool { return target == ErrGone }

// Unwrap is why.
func (g gone) Unwrap() error { return g.error }

// locks opens the data keys of one file, for one reader. Whether he may is asked for each reader anew: nothing opened is kept.
type locks struct {
	group  *Group
	number uint64 // of the file
	list   []lock
	names  map[uint32]string // of the streams that are read
	own    bool              // the group reads for itself: it needs nobody's leave for keys that it has
	open   map[uint32]cipher.AEAD
}

func (g *Group) locks(number uint64, list []lock, names map[uint32]string) *locks {
	return &locks{group: g, number: number, list: list, names: names, open: map[uint32]cipher.AEAD{}}
}

func (l *locks) at(n uint32) (cipher.AEAD, error) {
	if n == 0 || int64(n) > int64(len(l.list)) {
		return nil, errDamaged
	}
	if a := l.open[n]; a != nil {
		return a, nil
	}
	k := &l.list[n-1]
	if l.own && k.key != nil {
		return k.key.aead, nil
	}
	if l.group.unwrap == nil {
		return nil, shut{errors.New("log events are encrypted, and nothing opens their data keys")}
	}
	plain, err := l.group.unwrap(k.wrapped)
	if err != nil {
		return nil, shut{err}
	}
	l.open[n], err = newAEAD(plain)
	return l.open[n], err
}

// Kinds of what is encrypted.
const (
	ofFrame = 'f'
	ofBlock = 'b'
)

// about is what is authenticated beside events that are encrypted: the same in each member's store, whatever the numbers of its files, its
// data keys and its streams, so that other members take them as they are.
func (p *placed) about(g *Group) []byte {
	b := appendText([]byte{ofFrame}, g.id)
	b = binary.AppendUvarint(appendText(b, p.name), p.before+1)
	return p.append(b)
}

// placed is where events are that follow each other in a stream, and what can be said of them without their key.
type placed struct {
	name   string
	before uint64 // Seq of the event before the first
	summary
}

func (p *placed) lastSeq() uint64 { return p.before + uint64(p.count) }

// aboutBlock is the same for a block, which stays in its file.
func (g *Group) aboutBlock(number uint64, k *block) []byte {
	return k.place(binary.AppendUvarint(appendText([]byte{ofBlock}, g.id), number))
}

// cover makes of a batch what is encrypted of it, and what is authenticated with that.
func (g *Group) cover(b *batch, s summary) (plain, about []byte) {
	free := *b
	free.stream = 0 // of this store only
	p := placed{b.name, b.before, s}
	return free.append(make([]byte, 0, s.room())), p.about(g)
}

// appendClear begins the payload of a frame whose events are encrypted: what has to be known without the key stands before them.
func (f *frame) appendClear(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, frameLocked)
	dst = binary.AppendUvarint(dst, uint64(f.lock))
	dst = binary.AppendUvarint(dst, uint64(f.stream))
	dst = binary.AppendUvarint(dst, f.before()+1)
	return f.summary.append(dst)
}

// parseLocked reads what such a frame says in clear; text is what is encrypted.
func parseLocked(payload []byte) (f frame, text []byte, err error) {
	r := reader{b: payload}
	if r.uint() != frameLocked {
		return f, nil, errDamaged
	}
	f.lock, f.stream = r.id(), r.id()
	seq := r.uint()
	f.summary = r.summary()
	if f.lastSeq = seq - 1 + uint64(f.count); r.bad || seq == 0 || f.lock == 0 || f.stream == 0 || f.count < 1 {
		return f, nil, errDamaged
	}
	return f, r.b, nil
}

// frame decrypts a frame.
func (l *locks) frame(payload []byte) (batch, error) {
	f, text, err := parseLocked(payload)
	if err != nil {
		return batch{}, err
	}
	aead, err := l.at(f.lock)
	if err != nil {
		return batch{}, err
	}
	p := placed{l.names[f.stream], f.before(), f.summary}
	plain, err := aead.Open(nil, nil, text, p.about(l.group))
	if err != nil {
		return batch{}, errTampered
	}
	b, err := parseBatch(plain)
	b.stream = f.stream
	for i := range b.events {
		b.events[i].stream, b.events[i].lock = f.stream, f.lock
	}
	return b, err
}

// block decrypts a compressed block. dst may be nil.
func (l *locks) block(dst []byte, k *block, text []byte) ([]byte, error) {
	aead, err := l.at(k.lock)
	if err != nil {
		return nil, err
	}
	packed, err := aead.Open(dst[:0], nil, text, l.group.aboutBlock(l.number, k))
	if err != nil {
		return nil, errTampered
	}
	return packed, nil
}

// close encrypts a compressed block, with a key that the group has.
func (l *locks) close(k *block, packed []byte) ([]byte, error) {
	return l.cover(k.lock, packed, l.group.aboutBlock(l.number, k))
}

// cover encrypts again what has been opened.
func (l *locks) cover(n uint32, plain, about []byte) ([]byte, error) {
	if key := l.list[n-1].key; key != nil {
		return key.seal(nil, plain, about), nil
	}
	aead, err := l.at(n)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, about), nil
}

// place is what the index says of a block, but for its length, which the block says itself.
func (k *block) place(dst []byte) []byte {
	for _, n := range []uint64{uint64(k.from), uint64(k.to), uint64(k.at)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return k.summary.append(dst)
}

// appendLock adds what the index of a file with locks says of a block besides.
func (k *block) appendLock(dst []byte) []byte {
	v := uint64(k.lock) << 1
	if k.closed {
		v |= 1
	}
	return binary.AppendUvarint(dst, v)
}

func (k *block) readLock(r *reader) {
	v := r.uint()
	k.lock, k.closed = uint32(v>>1), v&1 != 0
}
