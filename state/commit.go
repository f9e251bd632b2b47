package state

// group is the changes of one or more Updates that are committed together.
type group struct {
	changes []Change
	pairs   []Pair  // of the changes, in the same order; of a wipe, its prefixes
	bytes   int     // in keys and values
	sealed  *Tables // the head after the last of them; nil while the group takes more
	done    chan struct{}
	err     error // set before done is closed
}

// open returns the group that takes changes now; it is not in the queue before it has some. Caller holds mu.
func (db *DB) open() *group {
	if k := len(db.groups); k > 0 && db.groups[k-1].sealed == nil {
		return db.groups[k-1]
	}
	return &group{changes: make([]Change, 0, db.usual), pairs: make([]Pair, 0, db.usual), done: make(chan struct{})}
}

// join adds changes, which the head already has, to the open group or to the next one, and returns it. Caller holds mu.
func (db *DB) join(changes []Change, pairs []Pair) *group {
	g := db.open()
	rows, bytes := db.cfg.Backend.MaxBatch()
	if len(g.pairs)+len(pairs) > rows || g.bytes+sizeOf(pairs) > bytes {
		undo(changes) // the group's snapshot must not have them
		db.seal(g)
		redo(changes)
		g = db.open()
	}
	if len(g.pairs) == 0 {
		db.groups = append(db.groups, g)
	}
	for i := range changes {
		db.add(g, changes[i], pairs[i])
	}
	db.rouse()
	return g
}

// rouse tells the committer that there is a group. Caller holds mu.
func (db *DB) rouse() {
	select {
	case db.wake <- struct{}{}:
	default:
	}
}

// add takes up a change into the open group; of several to one row the last counts. Caller holds mu.
func (db *DB) add(g *group, c Change, p Pair) {
	i, again := db.at[p.Key]
	if !again {
		db.at[p.Key] = len(g.pairs)
		g.changes, g.pairs = append(g.changes, c), append(g.pairs, p)
		g.bytes += len(p.Key) + len(p.Value)
		return
	}
	g.bytes += len(p.Value) - len(g.pairs[i].Value)
	g.changes[i].New, g.pairs[i].Value = c.New, p.Value
}

// tidy drops the rows that the group both made and deleted.
func (g *group) tidy() {
	kept := 0
	for i := range g.changes {
		if c := &g.changes[i]; c.Old == nil && c.New == nil {
			continue
		}
		g.changes[kept], g.pairs[kept] = g.changes[i], g.pairs[i]
		kept++
	}
	clear(g.changes[kept:])
	g.changes, g.pairs = g.changes[:kept], g.pairs[:kept]
}

// seal freezes the head as the group leaves it. Caller holds mu.
func (db *DB) seal(g *group) {
	g.sealed = db.head.freeze(db.sealed)
	db.sealed = g.sealed
	db.usual = len(g.pairs)
	if len(db.at) > maxScratch {
		db.at = map[string]int{}
	}
	clear(db.at)
}

// take removes the oldest group from the queue, sealed, unless it may still take more and has fewer than so many changes.
func (db *DB) take(least int) *group {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.groups) == 0 {
		return nil
	}
	g := db.groups[0]
	if g.sealed == nil && len(g.changes) < least {
		return nil
	}
	db.groups = db.groups[1:]
	if g.sealed == nil {
		db.seal(g)
	}
	if len(g.changes) == len(g.pairs) { // else a wipe
		g.tidy()
	}
	db.flying = append(db.flying, g)
	return g
}

// publish makes a durable group visible, then answers its callers.
func (db *DB) publish(g *group, rev int64) {
	db.advance(&Snapshot{Tables: g.sealed, Revision: rev}, g.changes, false)
	db.answer(g)
}

// answer tells the callers of the oldest flying group that it is durable.
func (db *DB) answer(g *group) {
	db.mu.Lock()
	db.flying = db.flying[1:]
	db.mu.Unlock()
	close(g.done)
}

// advance appends a revision to the list that readers and cursors walk. Only the goroutine of Run calls it.
func (db *DB) advance(s *Snapshot, changes []Change, reset bool) {
	r := newRevision(s, changes, reset)
	old := db.current.Load()
	old.next = r
	db.current.Store(r)
	close(old.ready)
}

// refuse drops everything that is not durable, because the backend certainly did not take it: the head goes back to
// the durable snapshot, and all who wait are told why. The term goes on.
func (db *DB) refuse(err error) {
	db.mu.Lock()
	waiting := db.drop()
	db.sealed = db.Snapshot().Tables
	db.head = db.newHead()
	db.mu.Unlock()
	fail(waiting, err)
}

// stepDown leaves the lead: the head is dropped, and the fate of what was not durable is unknown.
func (db *DB) stepDown(err error) {
	db.mu.Lock()
	waiting := db.drop()
	if db.head != nil {
		db.head = nil
		db.leading.Store(false)
		db.led = make(chan struct{})
		close(db.over)
	}
	db.mu.Unlock()
	fail(waiting, err)
}

// drop empties the queue. Caller holds mu.
func (db *DB) drop() []*group {
	waiting := append(db.flying, db.groups...)
	db.groups, db.flying = nil, nil
	clear(db.at)
	return waiting
}

func fail(gs []*group, err error) {
	for _, g := range gs {
		g.err = err
		close(g.done)
	}
}
