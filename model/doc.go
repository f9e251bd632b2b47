// Package model holds the nouns of Roadstead: clusters, container instances, tasks, task definitions, access keys,
// repositories; their names and ARNs; and the legal moves between their states (lifecycle.go).
//
// It is the lowest row of the house: everybody may import it and it imports nobody. It must not know how rows are
// stored (state), how they travel (wire, acs) or who decides about them (scheduler, controller, session). It has no
// clock, no randomness and no I/O: times, ids and seeds are arguments.
package model
