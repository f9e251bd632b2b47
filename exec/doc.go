// Package exec is the control plane's side of ECS Exec: it opens sessions with commands in containers on their nodes, makes and
// verifies the tokens with which clients come, carries frames between a client and the node, and keeps records of who did what.
//
// It must not know what the frames say (the node and the client speak to each other, so that a session outlives the member that
// carries it), nor how nodes are reached (it is given functions that tell them), nor any API's shapes.
package exec
