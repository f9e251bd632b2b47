// Package scheduler decides where tasks go: a pure function from the cluster as it is and a request to placements and
// an explanation of every instance that was not chosen (SEMANTICS §5).
//
// It must not know the clock, randomness (the seed is an argument), the API's shapes, or what happens to its answer: it
// changes nothing.
package scheduler
