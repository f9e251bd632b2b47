// Package simulate answers what-ifs: it plays a file of nodes, task definitions and timed events against the real API,
// scheduler, controllers and state, on virtual time, with nodes that are modelled. A run is single-threaded and the same
// for the same file and seed, to the last byte of its transcript.
//
// It must not know the clock, sockets or containers, and it decides nothing that the control plane decides: what it does
// to tasks it does through the API, as a client or as a node would.
package simulate
