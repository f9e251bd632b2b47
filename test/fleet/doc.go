// Package fleet is simulated nodes: each speaks the agent's protocol to a real control plane (registration, ACS, TCS,
// reports) and lets its tasks live by the clock, running nothing. Thousands fit into one process.
//
// It must not look into the control plane: what a node knows came over its connections.
package fleet
