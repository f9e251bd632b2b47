package state

import (
	"fmt"
	"slices"
)

// scratch is memory that one transaction after the other uses.
type scratch struct {
	changes []Change
	pairs   []Pair
	row     []byte
}

// maxScratch is how many changes a scratch may have had to be kept.
const maxScratch = 1000

// Tx is one change in the making: the head's tables, changeable. It is valid only inside the function given to
// Update, and sees its own writes.
type Tx struct {
	*Tables
	changes []Change
}

// Change is one row before and after; Old or New is nil (untyped) when there is none. Both are pointers to the row
// type of the table, e.g. *model.Task.
type Change struct {
	Table    string
	Key      string
	Old, New any

	t table
}

func (tx *Tx) record(t table, key string, old, new any) {
	tx.changes = append(tx.changes, Change{Table: t.tableName(), Key: key, Old: old, New: new, t: t})
}

// undo takes all changes back, last first.
func undo(cs []Change) {
	for i := len(cs) - 1; i >= 0; i-- {
		c := &cs[i]
		c.t.restore(c.Key, c.New, c.Old)
	}
}

func redo(cs []Change) {
	for i := range cs {
		c := &cs[i]
		c.t.restore(c.Key, c.Old, c.New)
	}
}

// run applies f to the tables and returns what it changed, one change after the other with its encoded pair, until the next
// run. If f fails or panics, or a row cannot be encoded, or fits says no, everything is taken back.
func (t *Tables) run(f func(*Tx) error, codec SpecCodec, fits func([]Pair) bool) (changes []Change, pairs []Pair, err error) {
	t.scratch.empty()
	tx := &Tx{Tables: t, changes: t.scratch.changes}
	t.each(func(x table) { x.bind(tx) })
	done := false
	defer func() {
		if !done {
			undo(tx.changes)
		}
		t.scratch.changes = tx.changes
		t.each(func(x table) { x.bind(nil) })
	}()
	if err := f(tx); err != nil {
		return nil, nil, err
	}
	if err := t.scratch.encode(tx.changes, codec); err != nil {
		return nil, nil, err
	}
	if !fits(t.scratch.pairs) {
		return nil, nil, ErrTooLarge
	}
	done = true
	return tx.changes, t.scratch.pairs, nil
}

// empty forgets the transaction before, which must not keep rows alive.
func (s *scratch) empty() {
	if cap(s.changes) > maxScratch {
		*s = scratch{}
	}
	clear(s.changes)
	clear(s.pairs)
	s.changes, s.pairs = s.changes[:0], s.pairs[:0]
}

// encode makes the pairs of the changes.
func (s *scratch) encode(cs []Change, codec SpecCodec) error {
	for i := range cs {
		c := &cs[i]
		p := Pair{Key: c.Table + "/" + c.Key}
		if c.New != nil {
			b, err := appendRow(s.row[:0], c.New, codec)
			if err != nil {
				return fmt.Errorf("encode row %s: %w", p.Key, err)
			}
			p.Value, s.row = slices.Clone(b), b
		}
		s.pairs = append(s.pairs, p)
	}
	return nil
}
