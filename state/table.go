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
	def     *tableDef[R]
	rows    *btree.Map[string, *R]
	derived []derived[R]
	tx      *Tx               // nil: frozen
	told    func(old, new *R) // of a head's table: is told every change; nil if nobody asked
	dirty   bool
}

// tableDef says how a kind of row is stored and looked up.
type tableDef[R any] struct {
	name    string
	key     func(*R) string
	derived []func() derived[R]
	share   func(before, r *R) // makes a row share memory with others like it; nil if they have nothing in common
}

// derived is something that follows from the rows of a table, kept up to date with every change: an index or a count.
type derived[R any] interface {
	apply(key string, old, new *R)
	copy() derived[R]
}

// degree of the trees: a change copies a node of up to twice as many entries on each level, once for every group of
// Updates. Rows that come together are neighbours and share nodes, what is looked up by other values is spread.
const (
	rowDegree   = 32
	indexDegree = 8
)

func newTable[R any](def *tableDef[R]) *Table[R] {
	t := &Table[R]{def: def, rows: btree.NewMap[string, *R](rowDegree)}
	for _, f := range def.derived {
		t.derived = append(t.derived, f())
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
	t.def.shared(old, r)
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
	for _, d := range t.derived {
		d.apply(key, old, new)
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
	t.rows, t.derived, t.dirty = empty.rows, empty.derived, true
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
	t.def.shared(o, r)
	t.set(key, o, r)
	return anyRow(o), r, nil
}

func (d *tableDef[R]) shared(before, r *R) {
	if d.share != nil {
		d.share(before, r)
	}
}

// copy returns a copy of the table as it is, sharing everything until one of the two is written.
func (t *Table[R]) copy() *Table[R] {
	f := &Table[R]{def: t.def, rows: t.rows.Copy()}
	for _, d := range t.derived {
		f.derived = append(f.derived, d.copy())
	}
	return f
}
