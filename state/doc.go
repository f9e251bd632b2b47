// Package state is the truth: all rows of a Region's control plane, in memory as immutable snapshots, made durable
// by a Backend. One member leads; on it every write is a function run on the head (Update), a committer groups the
// pending writes into one backend transaction fenced by the leader's term, and callers are answered, and readers see
// the result, only after it is durable. The other members follow a watch and keep a warm copy.
//
// The shape of the data is in tables.go; DESIGN.md in this folder tells how a write travels and what happens when the
// fence is lost.
//
// It must not know AWS's operations, protocols or agents, and it decides nothing: what may be written is said by model
// and by the callers. It alone knows etcd.
package state
