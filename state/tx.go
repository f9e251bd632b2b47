package state

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
	for i := len(tx.changes) - 1; i >= 0; i-- {
		c := &tx.changes[i]
		c.t.restore(c.Key, c.New, c.Old)
	}
	tx.changes = nil
}

// run applies f to the tables, and takes its changes back if it fails or panics, or changed more than limit rows:
// then the error is ErrTooLarge.
func (t *Tables) run(f func(*Tx) error, limit int) (changes []Change, err error) {
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
		return nil, err
	}
	changes = coalesce(tx.changes)
	if len(changes) > limit {
		return nil, ErrTooLarge
	}
	done = true
	return changes, nil
}

// coalesce leaves one change per row: from its first old to its last new state.
func coalesce(cs []Change) []Change {
	if len(cs) < 2 {
		return cs
	}
	type id struct{ table, key string }
	at := make(map[id]int, len(cs))
	out := cs[:0:0]
	for _, c := range cs {
		k := id{c.Table, c.Key}
		if i, ok := at[k]; ok {
			out[i].New = c.New
			continue
		}
		at[k] = len(out)
		out = append(out, c)
	}
	return out
}
