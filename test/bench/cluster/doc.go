// Package cluster measures a whole control plane: the built binary as a process of its own, thousands of simulated nodes in a
// second one over real websockets on loopback, and RunTask until every task is RUNNING and that is durable. `make bench-cluster`
// prints the figures; without flags the run is small.
//
// It must not tune what it measures: the server runs as users run it.
package cluster
