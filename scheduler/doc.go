// Package scheduler decides where tasks go, and which of a service's tasks stop: pure functions of the cluster as it is and a
// request. Place chooses, Explain says of every instance why not (SEMANTICS §5), Distribute and ChooseStops serve services
// (§6.2, §5.5). They look at an Index, which follows the rows of the head (DESIGN.md).
//
// It must not know the clock, randomness (the seed is an argument), the API's shapes, or what happens to its answer: it
// changes no row, and leaves the index as it was.
package scheduler
