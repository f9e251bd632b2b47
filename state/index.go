package state

import "github.com/roadstead/roadstead/model"

// Index is something that is derived from the rows of the head and kept in step with every change of them, those that are
// taken back included: what a scheduler needs to choose among thousands of instances without looking at each. It lives
// with the head, may change in place, and is made anew from the rows when a term begins. Snapshots have none.
type Index interface {
	// Instance and Task are told of a row's change; old or new is nil if there is none. They run under the head's lock.
	Instance(old, new *model.Instance)
	Task(old, new *model.Task)
}

// Index returns what Config.NewIndex made, in step with the head as the transaction has changed it so far.
func (tx *Tx) Index() Index { return tx.index }

// newHead returns a changeable copy of the durable tables, with an index if there is to be one. Caller holds mu.
func (db *DB) newHead() *Tables {
	head := db.sealed.thaw()
	if db.cfg.NewIndex != nil {
		head.attach(db.cfg.NewIndex())
	}
	return head
}

// attach fills the index with the rows and keeps it in step from now on.
func (t *Tables) attach(x Index) {
	t.index = x
	for i := range t.Instances.All() {
		x.Instance(nil, i)
	}
	for task := range t.Tasks.All() {
		x.Task(nil, task)
	}
	t.Instances.told, t.Tasks.told = x.Instance, x.Task
}
