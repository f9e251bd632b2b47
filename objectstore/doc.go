// Package objectstore keeps the contents of objects: files that are named by the hash of what they hold, and never change.
//
// What was put is on the disk, and if there are other members on most of them, before Put returns. Which contents are objects, and
// how they are called, rows say; a content that no row names is swept. See docs/decisions/024.
//
// The package must not know buckets, keys or accounts, so that nothing that a caller wrote becomes a path; nor how members
// reach each other.
package objectstore
