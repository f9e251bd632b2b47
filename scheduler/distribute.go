package scheduler

// ProviderShare is one item of a capacity provider strategy (SEMANTICS §6.1).
type ProviderShare struct {
	Provider     string
	Base, Weight int
}

// Distribute returns the capacity provider of each of n further tasks, have being how many each has already (SEMANTICS §6.2):
// first those that have less than their base; then one by one the provider that has least beyond its base for its weight, the
// first of equals. If none has a weight the first one takes what is left. A strategy has an item.
func Distribute(items []ProviderShare, have map[string]int, n int) []string {
	given := make([]int, len(items)) // beyond the base; below 0 if less
	for i, item := range items {
		given[i] = have[item.Provider] - item.Base
	}
	out := make([]string, 0, n)
	for range n {
		best := 0
		for i := range items {
			if sooner(items, given, i, best) {
				best = i
			}
		}
		given[best]++
		out = append(out, items[best].Provider)
	}
	return out
}

// sooner reports whether provider i is due before provider j.
func sooner(items []ProviderShare, given []int, i, j int) bool {
	a, b := items[i], items[j]
	switch {
	case given[i] < 0 || given[j] < 0:
		return given[i] < 0 && given[j] >= 0
	case a.Weight == 0 || b.Weight == 0:
		return a.Weight > 0 && b.Weight == 0
	}
	return given[i]*b.Weight < given[j]*a.Weight
}
