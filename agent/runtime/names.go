package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Names is how a container finds addresses: what its /etc/hosts and /etc/resolv.conf say, as the node wrote them.
type Names struct {
	Hosts   map[string]string // name -> address
	Servers []string          // addresses
	Search  []string          // domains
}

// Names reads the files of a container.
func (r *Runtime) Names(id string) (Names, error) {
	n := Names{Hosts: map[string]string{}}
	dir := r.dir(containerdID(id))
	hosts, err := os.ReadFile(filepath.Join(dir, "hosts"))
	if err != nil {
		return n, fmt.Errorf("read the container's names: %w", err)
	}
	resolv, err := os.ReadFile(filepath.Join(dir, "resolv.conf"))
	if err != nil {
		return n, fmt.Errorf("read the container's name servers: %w", err)
	}
	n.parse(string(hosts), string(resolv))
	return n, nil
}

func (n *Names) parse(hosts, resolv string) {
	for line := range strings.Lines(hosts) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		for i, name := range fields {
			if _, known := n.Hosts[name]; i > 0 && !known {
				n.Hosts[name] = fields[0]
			}
		}
	}
	for line := range strings.Lines(resolv) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "nameserver":
			n.Servers = append(n.Servers, fields[1])
		case fields[0] == "search":
			n.Search = fields[1:]
		}
	}
}
