// Package e2e runs the real binary with real containers: its tests (build tag e2e, root needed) start roadstead as a user
// would, speak to it with the AWS SDK, and look at the machine (processes, cgroups, mounts, namespaces) for the truth.
//
// It must not know how roadstead works inside: only its command line, its API and what it leaves on the machine.
package e2e
