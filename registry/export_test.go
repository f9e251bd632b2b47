package registry

// Opened is how many trees are open.
func (g *Registry) Opened() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.stores)
}
