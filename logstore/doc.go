// Package logstore keeps log events: groups of streams in files of their own, appended to, read by time, and removed by age.
//
// A group is a folder. What is appended goes into its journal, whole batches behind a checksum, and is on the disk when Append
// returns; concurrent calls share one fsync. A journal that is full is sealed: its events are sorted by stream and time into
// compressed blocks, with an index of the blocks' streams and times behind them. Retention unlinks whole sealed files. See
// DESIGN.md.
//
// Events may be encrypted with data keys that come wrapped from outside.
//
// The package must not know accounts, names or ARNs of groups (it has opaque ids for them), AWS's limits, nor the clock; nor what wraps
// data keys and who may open them.
package logstore
