// Package query is the cluster query language (SEMANTICS §5.3): expressions that choose container instances, for
// placement constraints and for lists.
//
// It must not know rows, clusters or requests: a Subject says what an instance is, and whoever has an expression decides
// what its answer is good for.
package query
