// Package deployment decides what a service does next: which tasks are started and stopped, how far its deployments are, and
// what is said about it (SEMANTICS §7-§10). Step is a pure function of the service as it is.
//
// It must not know the clock, the rows' tables or where tasks fit: it says how many of which tasks are to be started, and out of
// which tasks so many are to be stopped; controller/deploy finds places and chooses. It changes no row that it is given.
package deployment
