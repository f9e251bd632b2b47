package state

import (
	"fmt"
	"iter"
	"strings"

	"github.com/tidwall/btree"
)

// Table is one kind of row, ordered by key. Rows are read-only: copy one before changing it and Put the copy. A table
// of a Snapshot never changes; Put and Delete are for a Tx.
type Table[R any] struct {
	def   *tableDef[R]
	rows  *btree.Map[string, *R]
	index []*btree.Map[string, *R]
	folds []fold[R]
	tx    *Tx               // nil: frozen
	told  func(old, new *R) // of a head's table: is told every change; nil if nobody asked
	dirty bool
}

// tableDef says how a kind of row is stored and looked up.
type tableDef[R any] struct {
	name    string
	key     func(*R) string
	indices []func(*R) (value string, ok bool)
	folds   []func() fold[R]
}

// fold is a running aggregate over the rows of a table, kept up to date with every change.
type fold[R any] interface {
	apply(old, new *R)
	copy() fold[R]
}

func newTable[R any](def *tableDef[R]) *Table[R] {
	t := &Table[R]{def: def, rows: &btree.Map[string, *R]{}}
	for range def.indices {
		t.index = append(t.index, &btree.Map[string, *R]{})
	}
	for _, f := range def.folds {
		t.folds = append(t.folds, f())
	}
	return t
}

// Get returns the row with the key.
func (t *Table[R]) Get(key string) (*R, bool) { return t.rows.Get(key) }

// Len is the number of rows.
func (t *Table[R]) Len() int { return t.rows.Len() }

// All yields every row in key order.
func (t *Table[R]) All() iter.Seq[*R] { return t.From("", "") }

// Prefix yields the rows whose key begins with prefix, in key order.
func (t *Table[R]) Prefix(prefix string) iter.Seq[*R] { return t.From(prefix, prefix) }

// From yields the rows whose key begins with prefix and is at least start, in key order: a page.
func (t *Table[R]) From(prefix, start string) iter.Seq[*R] {
	return scan(t.rows, prefix, max(prefix, start))
}

// by yields the rows with the value in the n-th index.
func (t *Table[R]) by(n int, value string) iter.Seq[*R] {
	return scan(t.index[n], value+"\x00", value+"\x00")
}

func scan[R any](m *btree.Map[string, *R], prefix, start string) iter.Seq[*R] {
	return func(yield func(*R) bool) {
		m.Ascend(start, func(k string, r *R) bool {
			return strings.HasPrefix(k, prefix) && yield(r)
		})
	}
}

// Put inserts the row or replaces the one with its key. The caller gives the row away.
func (t *Table[R]) Put(r *R) {
	key := t.def.key(r)
	old, _ := t.rows.Get(key)
	t.write(key, old, r)
}

// Delete removes the row with the key, if it exists.
func (t *Table[R]) Delete(key string) {
	if old, ok := t.rows.Get(key); ok {
		t.write(key, old, nil)
	}
}

func (t *Table[R]) write(key string, old, new *R) {
	if t.tx == nil {
		panic("state: write to a frozen table " + t.def.name)
	}
	t.tx.record(t, key, anyRow(old), anyRow(new))
	t.set(key, old, new)
}

// set changes the row and everything derived from it.
func (t *Table[R]) set(key string, old, new *R) {
	t.dirty = true
	if new == nil {
		t.rows.Delete(key)
	} else {
		t.rows.Set(key, new)
	}
	for i, value := range t.def.indices {
		if old != nil {
			if v, ok := value(old); ok {
				t.index[i].Delete(v + "\x00" + key)
			}
		}
		if new != nil {
			if v, ok := value(new); ok {
				t.index[i].Set(v+"\x00"+key, new)
			}
		}
	}
	for _, f := range t.folds {
		f.apply(old, new)
	}
	if t.told != nil {
		t.told(old, new)
	}
}

// anyRow keeps "no row" an untyped nil.
func anyRow[R any](r *R) any {
	if r == nil {
		return nil
	}
	return r
}

// table is a Table whatever its row type.
type table interface {
	tableName() string
	restore(key string, old, new any)
	load(key string, value []byte, c SpecCodec) (old, now any, err error)
	clear([]Change) []Change
	Len() int
	bind(*Tx)
}

func (t *Table[R]) tableName() string { return t.def.name }
func (t *Table[R]) bind(tx *Tx)       { t.tx = tx }

// restore sets a row without recording it; old is what stands there now.
func (t *Table[R]) restore(key string, old, new any) {
	o, _ := old.(*R)
	n, _ := new.(*R)
	t.set(key, o, n)
}

// clear removes all rows and appends what that changes.
func (t *Table[R]) clear(cs []Change) []Change {
	t.rows.Scan(func(key string, r *R) bool {
		cs = append(cs, Change{Table: t.def.name, Key: key, Old: r, t: t})
		return true
	})
	if t.told != nil {
		t.rows.Scan(func(_ string, r *R) bool { t.told(r, nil); return true })
	}
	empty := newTable(t.def)
	t.rows, t.index, t.folds, t.dirty = empty.rows, empty.index, empty.folds, true
	return cs
}

// load applies a stored row, or its deletion if value is nil.
func (t *Table[R]) load(key string, value []byte, c SpecCodec) (old, now any, err error) {
	o, _ := t.rows.Get(key)
	if value == nil {
		t.set(key, o, nil)
		return anyRow(o), nil, nil
	}
	r := new(R)
	if err := decodeRow(value, r, c); err != nil {
		return nil, nil, fmt.Errorf("decode row %s of table %s: %w", key, t.def.name, err)
	}
	t.set(key, o, r)
	return anyRow(o), r, nil
}

// copy returns a copy of the table as it is, sharing everything until one of the two is written.
func (t *Table[R]) copy() *Table[R] {
	f := &Table[R]{def: t.def, rows: t.rows.Copy()}
	for _, x := range t.index {
		f.index = append(f.index, x.Copy())
	}
	for _, x := range t.folds {
		f.folds = append(f.folds, x.copy())
	}
	return f
}

// sum is a fold that adds rows up by a key.
type sum[R, A any] struct {
	key   func(*R) (string, bool)
	add   func(A, *R, int) A // sign is +1 or -1; must not modify A's slices in place
	empty func(A) bool
	by    *btree.Map[string, *A] // pointers, because writing to a shared node copies all of it
}

func newSum[R, A any](key func(*R) (string, bool), add func(A, *R, int) A, empty func(A) bool) fold[R] {
	return &sum[R, A]{key, add, empty, &btree.Map[string, *A]{}}
}

func (s *sum[R, A]) apply(old, new *R) {
	if old != nil {
		s.change(old, -1)
	}
	if new != nil {
		s.change(new, +1)
	}
}

func (s *sum[R, A]) change(r *R, sign int) {
	k, ok := s.key(r)
	if !ok {
		return
	}
	var a A
	if p, ok := s.by.Get(k); ok {
		a = *p
	}
	if a = s.add(a, r, sign); s.empty(a) {
		s.by.Delete(k)
	} else {
		s.by.Set(k, &a)
	}
}

func (s *sum[R, A]) copy() fold[R] { return &sum[R, A]{s.key, s.add, s.empty, s.by.Copy()} }

func sumOf[R, A any](t *Table[R], n int, key string) A {
	if a, ok := t.folds[n].(*sum[R, A]).by.Get(key); ok {
		return *a
	}
	return *new(A)
}
