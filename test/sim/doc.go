// Package sim runs the real control plane (three members on the memory backend, gateway, signatures, sessions) with thousands of
// simulated nodes in one bubble of testing/synctest, lets a seeded script do its worst, and checks at every revision what must
// always hold.
//
// It must not repair or excuse anything: a violation is printed with its seed, its script and the last revisions.
package sim
