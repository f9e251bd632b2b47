// Package acs is the protocol between the control plane and a node's agent: the messages of the ACS and TCS
// websockets, their frames, and the shapes of the agent-facing API calls. Both sides import it, and it is the same
// protocol that the stock Amazon ECS agent speaks (AGENT-PROTOCOL §1), so shapes and names are not ours to choose;
// the few messages that are ours begin with "Roadstead".
//
// It must not know who sends a message, what a task does with it, or where anything is stored.
package acs
