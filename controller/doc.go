// Package controller drives what the leader does by itself. A controller is a function, Reconcile(tx, key, now), in a
// package of its own below this one; the driver owns every goroutine, queue, back-off, timer and commit of all of them.
//
// It must not know what any loop is about, nor what time it is but by being told.
package controller
