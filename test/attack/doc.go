// Package attack tries what must be refused, on a whole server and over every operation that it serves: calls that are unsigned
// or signed wrongly, an account that names what belongs to another, requests that are too large. Whoever serves a new operation
// has it tried here without asking; a new service needs its client in clients.
//
// Nothing is written for one operation: inputs are generated from the SDK's structs.
package attack
