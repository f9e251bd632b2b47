// Package stock is a scripted Amazon ECS agent. It joins a whole control plane, in a bubble of testing/synctest, over HTTP and
// websockets, and does what the stock agent does: what must be so for that one to run tasks fails a test here when it is not so.
//
// It must know nothing but what AGENT-PROTOCOL.md says: names of members and their JSON kinds are written out in this folder, so that
// a change of package acs cannot change the test with it.
package stock
