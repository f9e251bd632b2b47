// Package datachannel is the protocol of a session with a command in a container, as the session-manager-plugin speaks it over
// one websocket (AGENT-PROTOCOL §5.2-5.8): frames, and a Channel that makes of them a stream each way whose pieces come once and
// in order, whatever gets lost with a connection. Both ends are here: the node's, and that of `roadstead exec`.
//
// It must not know sockets, time or processes: frames and moments are arguments, and what is to be sent is returned.
package datachannel
