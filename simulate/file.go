package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/roadstead/roadstead/model"
)

// File is what is to be simulated, as it was written.
type File struct {
	Seed      uint64
	Until     time.Duration
	Clusters  []string // the first is the one of nodes and events that name none
	Providers []Provider
	Nodes     []Group
	Tasks     []Kind
	Services  []Service
	Keep      time.Duration // how long stopped tasks stay in the state
	Events    []Event
	WhatIfs   []string // each is events, separated by ";", of a further run
}

// Provider is a capacity provider of all clusters.
type Provider struct {
	Name  string
	Pool  string
	Waits bool // managed scaling is on: tasks that find no room wait in PROVISIONING
}

// Group is nodes that are alike; the group n of three nodes has n1, n2 and n3.
type Group struct {
	Name       string
	Count      int
	Cluster    string
	Zones      []string // in turn
	CPU        int64    // units of one node
	Memory     int64    // MiB of one node
	GPUs       int
	Pool       string
	Attributes []model.Attribute
}

// Kind is a task definition, and how its tasks live.
type Kind struct {
	Name        string // its family
	CPU         int64
	Memory      int64
	GPUs        int
	Network     string // bridge, host, none or awsvpc
	Ports       []port
	Constraints []string // memberOf expressions

	Start  Spread  // from the node's acknowledgement to RUNNING
	Run    Spread  // from RUNNING to the exit
	Stop   Spread  // from the wish that it stop to the exit
	Fails  float64 // share of the tasks whose exit code is 1
	Broken float64 // share of the tasks that cannot start
}

// Read reads a file.
func Read(r io.Reader) (*File, error) {
	var doc yaml.Node
	if err := yaml.NewDecoder(r).Decode(&doc); err != nil {
		return nil, syntax(err)
	}
	f := &File{Seed: 1, Until: 24 * time.Hour, Keep: time.Hour}
	var events, whatIfs *yaml.Node
	err := members(doc.Content[0], "the file",
		member{"seed", text(&f.Seed, func(s string) (uint64, error) {
			n, err := whole(s, 0, 1<<62)
			return uint64(n), err
		})},
		member{"until", text(&f.Until, moment)},
		member{"clusters", list(&f.Clusters, named)},
		member{"providers", f.readProviders},
		member{"nodes", f.readNodes},
		member{"tasks", f.readTasks},
		member{"services", f.readServices},
		member{"keep", text(&f.Keep, duration)},
		member{"events", func(n *yaml.Node) error { events = n; return nil }},
		member{"what-if", func(n *yaml.Node) error { whatIfs = n; return list(&f.WhatIfs, plain)(n) }},
	)
	if err != nil {
		return nil, err
	}
	if len(f.Clusters) == 0 {
		f.Clusters = []string{model.DefaultCluster}
	}
	if err := f.check(); err != nil {
		return nil, at(doc.Content[0], err)
	}
	if events != nil {
		if err := f.readEvents(events); err != nil {
			return nil, err
		}
	}
	for i, what := range f.WhatIfs {
		if _, err := f.WhatIf(what); err != nil {
			n := whatIfs
			if n.Kind == yaml.SequenceNode {
				n = n.Content[i]
			}
			return nil, wrong(n, "%v", err)
		}
	}
	return f, nil
}

func (f *File) readEvents(events *yaml.Node) error {
	if events.Kind != yaml.SequenceNode {
		return wrong(events, "events: expected a list with lines such as - at 02:00 kill n2")
	}
	for _, n := range events.Content {
		if n.Kind != yaml.ScalarNode {
			return wrong(n, "event: expected a line of text such as at 02:00 kill n2, not %s", kindOf(n))
		}
		if err := f.Add(n.Value, n.Line); err != nil {
			return err
		}
	}
	return nil
}

// WhatIf returns the file with more events, separated by ";".
func (f *File) WhatIf(events string) (*File, error) {
	more := *f
	more.Events = slices.Clone(f.Events)
	for line := range strings.SplitSeq(events, ";") {
		if err := more.Add(line, 0); err != nil {
			return nil, err
		}
	}
	return &more, nil
}

// syntax says where the file is no YAML.
func syntax(err error) error {
	if errors.Is(err, io.EOF) {
		return &FileError{Msg: "the file is empty: expected nodes, tasks and events"}
	}
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		if number, what, ok := strings.Cut(rest, ": "); ok {
			if line, err := strconv.Atoi(number); err == nil {
				return &FileError{line, "not YAML: " + what}
			}
		}
	}
	return &FileError{Msg: "not YAML: " + msg}
}

func (f *File) readProviders(n *yaml.Node) error {
	return mapping(n, "providers", func(key, value *yaml.Node) error {
		p := Provider{Pool: key.Value}
		err := members(value, "provider "+key.Value, member{"pool", text(&p.Pool, named)}, member{"waits", text(&p.Waits, strconv.ParseBool)})
		if err == nil {
			p.Name, err = named(key.Value)
		}
		f.Providers = append(f.Providers, p)
		return at(key, err)
	})
}

func (f *File) readNodes(n *yaml.Node) error {
	return mapping(n, "nodes", func(key, value *yaml.Node) error {
		g := Group{Count: 1}
		err := members(value, "nodes "+key.Value,
			member{"count", text(&g.Count, number[int](0, 100_000))},
			member{"cluster", text(&g.Cluster, named)},
			member{"zones", list(&g.Zones, named)},
			member{"cpu", text(&g.CPU, number[int64](1, 1<<30))},
			member{"memory", text(&g.Memory, mebibytes)},
			member{"gpus", text(&g.GPUs, number[int](0, 64))},
			member{"pool", text(&g.Pool, named)},
			member{"attributes", func(n *yaml.Node) error {
				return mapping(n, "attributes", func(key, value *yaml.Node) error {
					a := model.Attribute{Name: key.Value, HasValue: true}
					err := text(&a.Value, plain)(value)
					g.Attributes = append(g.Attributes, a)
					return at(value, err)
				})
			}},
		)
		if err != nil {
			return err
		}
		if g.CPU == 0 || g.Memory == 0 {
			return wrong(key, "nodes %s: expected cpu (units, 1024 are one processor) and memory (such as 16GiB)", key.Value)
		}
		g.Name, err = named(key.Value)
		f.Nodes = append(f.Nodes, g)
		return at(key, err)
	})
}

func (f *File) readTasks(n *yaml.Node) error {
	return mapping(n, "tasks", func(key, value *yaml.Node) error {
		k := Kind{Network: "bridge", Start: fixed(2 * time.Second), Run: fixed(forever), Stop: fixed(time.Second)}
		err := members(value, "tasks "+key.Value,
			member{"cpu", text(&k.CPU, number[int64](0, 1<<20))},
			member{"memory", text(&k.Memory, mebibytes)},
			member{"gpus", text(&k.GPUs, number[int](0, 64))},
			member{"network", text(&k.Network, oneOf("bridge", "host", "none", "awsvpc"))},
			member{"ports", list(&k.Ports, portOf)},
			member{"where", list(&k.Constraints, expression)},
			member{"start", text(&k.Start, spread)},
			member{"run", text(&k.Run, spread)},
			member{"stop", text(&k.Stop, spread)},
			member{"fails", text(&k.Fails, share)},
			member{"broken", text(&k.Broken, share)},
		)
		if err != nil {
			return err
		}
		if k.Memory == 0 {
			return wrong(key, "tasks %s: expected memory (such as 512MiB)", key.Value)
		}
		k.Name, err = named(key.Value)
		f.Tasks = append(f.Tasks, k)
		return at(key, err)
	})
}

// check finds what the members of the file say of each other.
func (f *File) check() error {
	for i := range f.Nodes {
		g := &f.Nodes[i]
		g.Cluster = cmp.Or(g.Cluster, f.Clusters[0])
		if len(g.Zones) == 0 {
			g.Zones = []string{"a"}
		}
		if !slices.Contains(f.Clusters, g.Cluster) {
			return fmt.Errorf("nodes %s: cluster %q: expected one of %s", g.Name, g.Cluster, strings.Join(f.Clusters, ", "))
		}
		if g.Name[len(g.Name)-1] >= '0' && g.Name[len(g.Name)-1] <= '9' {
			return fmt.Errorf("nodes %s: expected a name that does not end with a digit: its nodes are numbered", g.Name)
		}
	}
	return nil
}

func (f *File) kind(name string) *Kind {
	if i := slices.IndexFunc(f.Tasks, func(k Kind) bool { return k.Name == name }); i >= 0 {
		return &f.Tasks[i]
	}
	return nil
}

func (f *File) group(name string) *Group {
	if i := slices.IndexFunc(f.Nodes, func(g Group) bool { return g.Name == name }); i >= 0 {
		return &f.Nodes[i]
	}
	return nil
}
