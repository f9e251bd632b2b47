// Package arch holds the rules of the house as tests: who may import whom, where sockets, etcd and containerd are known,
// how long files and functions may be, and the other things that reviews should not have to say twice.
//
// It must not know what any package does. What is excused, and why, stands in exceptions.txt; an excuse that nobody needs
// any more fails.
package arch
