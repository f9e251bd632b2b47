package logstore

// Waiting is how many appends wait for the one that is being written.
func Waiting(g *Group) int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.pending.batches)
}
