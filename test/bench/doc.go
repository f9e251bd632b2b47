// Package bench measures the whole control plane from outside: calls over HTTP with SigV4, durable in an embedded etcd, beside
// the floor of the same calls answered by nothing. It asserts no times: machines are noisy. `make bench` runs it, and
// docs/performance.md keeps the figures.
//
// It must not know how the control plane works inside.
package bench
