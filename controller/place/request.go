package place

import (
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/scheduler"
	"github.com/roadstead/roadstead/state"
)

// Request is what the loop asks for one copy of a waiting task, or why the task can never run.
func (l *Loop) Request(tx *state.Tx, t *model.Task) (req scheduler.Request, gone string) {
	return (&round{Loop: l, tx: tx}).request(t)
}
