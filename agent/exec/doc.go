// Package exec is the node's side of ECS Exec: sessions with commands in the node's containers, each the end of a data channel
// whose client comes through the control plane, may lose its connection, and comes back.
//
// A session may carry connections instead of a command: streams of smux, as the session-manager-plugin multiplexes them.
//
// It must not know containerd or networks (it is given functions that start a Process and that dial), websockets, or who may open a
// session.
package exec
