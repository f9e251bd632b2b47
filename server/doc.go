// Package server assembles a control-plane process: the state and its election, the AWS services behind one endpoint,
// the agents' sessions, the registry, and what operators ask for. It alone constructs them and owns their goroutines.
//
// It must not decide or know anything about tasks itself, and it knows nothing of a node's inside.
package server
