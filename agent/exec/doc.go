// Package exec is the node's side of ECS Exec: sessions with commands in the node's containers, each the end of a data channel
// whose client comes through the control plane, may lose its connection, and comes back.
//
// It must not know containerd (it is given a function that starts a Process), websockets, or who may open a session.
package exec
