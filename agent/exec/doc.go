// Package exec is the node's side of ECS Exec: sessions with commands in the node's containers, each the end of a data channel
// whose client comes through the control plane, may lose its connection, and comes back.
//
// A session may carry connections instead of a command: streams of smux, as the session-manager-plugin multiplexes them.
//
// What a session is and shows is in files, its journal, which outlive the agent: the transcript goes where the cluster's configuration
// says when the session is over (docs/decisions/034).
//
// It must not know containerd or networks (it is given functions that start a Process and that dial, and a Caller), websockets, or who may open a
// session.
package exec
