package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/roadstead/roadstead/agent/task"
)

// Names is how a container finds addresses: entries of its /etc/hosts, addresses of name servers, domains to search.
type Names struct {
	Hosts           map[string]string
	Servers, Search []string
}

// dialPatience bounds one of several addresses of a host.
const dialPatience = 3 * time.Second

// Dial opens a TCP connection from inside a task's sandbox, of one without a path from the node. The host is an address, or a name that
// is looked up as a container with these names would.
func (n *Network) Dial(ctx context.Context, s task.Sandbox, names Names, host string, port uint16) (net.Conn, error) {
	addresses, err := n.lookUp(ctx, s, names, host)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, a := range addresses {
		ctx, cancel := context.WithTimeout(ctx, dialPatience)
		conn, err := dialIn(ctx, s.Path, "tcp", net.JoinHostPort(a, strconv.Itoa(int(port))))
		cancel()
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

func (n *Network) lookUp(ctx context.Context, s task.Sandbox, names Names, host string) ([]string, error) {
	switch {
	case net.ParseIP(host) != nil:
		return []string{host}, nil
	case host == "localhost":
		return []string{"127.0.0.1", "::1"}, nil
	case names.Hosts[host] != "":
		return []string{names.Hosts[host]}, nil
	}
	failed := fmt.Errorf("look up %s: the container has no name server", host)
	for _, server := range names.Servers {
		r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialIn(ctx, s.Path, network, net.JoinHostPort(server, "53"))
		}}
		for _, name := range candidates(host, names.Search) {
			found, err := r.LookupHost(ctx, name)
			if err == nil {
				return found, nil
			}
			failed = err
		}
	}
	return nil, failed
}

// candidates are the full names that a name may mean. The dot at their ends keeps the node's own domains out.
func candidates(host string, search []string) []string {
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	var out []string
	for _, domain := range search {
		out = append(out, host+"."+strings.TrimSuffix(domain, ".")+".")
	}
	if strings.Contains(host, ".") {
		return append([]string{host + "."}, out...)
	}
	return append(out, host+".")
}

// dialIn dials an address from inside a network namespace, "" being the present one. A socket belongs to the namespace that its thread
// is in when it is made; the address is no name, so that net makes it in this goroutine.
func dialIn(ctx context.Context, path, network, address string) (net.Conn, error) {
	var d net.Dialer
	if path == "" {
		return d.DialContext(ctx, network, address)
	}
	type answer struct {
		conn net.Conn
		err  error
	}
	done := make(chan answer, 1)
	go func() { // see make
		runtime.LockOSThread()
		var a answer
		back, err := inNetns(path, func() (err error) {
			a.conn, err = d.DialContext(ctx, network, address)
			return err
		})
		if back {
			runtime.UnlockOSThread()
		}
		a.err = err
		if err != nil && a.conn != nil {
			a.conn.Close()
			a.conn = nil
		}
		done <- a
	}()
	a := <-done
	return a.conn, a.err
}
