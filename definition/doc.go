// Package definition says what a task definition means: which ones may be registered and how they read back (Normalize),
// what a task of one is after the overrides of its launch (Apply), what such a task takes from an instance (Reserve),
// which containers it has (Containers) and what a node is told to run (Payload, Stop).
//
// Everything in it is a pure function of its arguments. It must not know the clock, rows and their keys, requests, who
// calls, where a task is placed or what a node answers; ids and registry credentials are handed in. Values given to it
// are never modified: what it returns is a copy.
//
// Rules carry the certainty tags of SEMANTICS: [D] documented, [O] observed in public, [I] inferred by us.
package definition
