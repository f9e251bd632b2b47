// Package conformance runs scripts of the real aws command line (build tag e2e, root needed) against one real `roadstead
// dev`: what an unmodified client sends, and every word that it is answered. The same scripts run against AWS, which is how
// a rule is proved or corrected; see README.md.
//
// It must not know how roadstead works inside: it imports none of its packages.
package conformance
