package deployment

// moving says whether tasks beyond the desired count are moved between zones: then it takes care of them.
func (r *run) moving(*pool) bool { return false }

// rebalance moves tasks between zones.
func (r *run) rebalance(*pool) {}
