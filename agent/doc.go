// Package agent assembles a node: it joins a cluster, keeps the ACS and TCS connections to the control plane, and
// owns the engine (agent/task) with the runtime, network and logs that it works with.
//
// It must not decide anything about a task (agent/task does), nor know how the control plane keeps its rows.
package agent
