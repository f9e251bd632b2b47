package task

// SetFault makes the engine's disk fail, or its process die, before the named steps of the journal: "write", "sync",
// "synced" (after it), "rename", "truncate". To be called before Run.
func (e *Engine) SetFault(f func(op string) error) { e.fault = f }
