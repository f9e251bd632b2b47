package state

import (
	"fmt"
	"slices"
)

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
func (tx *Tx) undo() {
	undo(tx.changes)
	tx.changes = nil
}

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

// run applies f to the tables and returns what it changed, one change and one encoded pair per row. If f fails or
// panics, or a row cannot be encoded, or fits says no, everything is taken back.
func (t *Tables) run(f func(*Tx) error, codec SpecCodec, fits func([]Pair) bool) (changes []Change, pairs []Pair, err error) {
	tx := &Tx{Tables: t}
	t.each(func(x table) { x.bind(tx) })
	done := false
	defer func() {
		if !done {
			tx.undo()
		}
		t.each(func(x table) { x.bind(nil) })
	}()
	if err := f(tx); err != nil {
		return nil, nil, err
	}
	changes = coalesce(tx.changes)
	if pairs, err = encodeChanges(changes, codec); err != nil {
		return nil, nil, err
	}
	if !fits(pairs) {
		return nil, nil, ErrTooLarge
	}
	done = true
	return changes, pairs, nil
}

// coalesce leaves one change per row, from its first old to its last new state, and none for a row that is gone again.
func coalesce(cs []Change) []Change {
	if len(cs) < 2 {
		return cs
	}
	type id struct{ table, key string }
	at := make(map[id]int, len(cs))
	out := make([]Change, 0, len(cs))
	for _, c := range cs {
		k := id{c.Table, c.Key}
		if i, ok := at[k]; ok {
			out[i].New = c.New
			continue
		}
		at[k] = len(out)
		out = append(out, c)
	}
	return slices.DeleteFunc(out, func(c Change) bool { return c.Old == nil && c.New == nil })
}

func encodeChanges(cs []Change, codec SpecCodec) ([]Pair, error) {
	pairs := make([]Pair, len(cs))
	for i := range cs {
		c := &cs[i]
		pairs[i].Key = c.Table + "/" + c.Key
		if c.New == nil {
			continue
		}
		b, err := encodeRow(c.New, codec)
		if err != nil {
			return nil, fmt.Errorf("encode row %s: %w", pairs[i].Key, err)
		}
		pairs[i].Value = b
	}
	return pairs, nil
}
