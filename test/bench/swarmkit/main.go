// Command swarmkit places the same tasks on the same nodes with SwarmKit's scheduler and with ours, and prints the rates.
// It is a module of its own, so that SwarmKit never becomes a dependency of Roadstead. Both bring a raft of etcd, whose protobuf
// names clash: it is linked with a conflict policy (make bench-scheduler).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

// patience bounds one run.
const patience = 10 * time.Minute

// load is what is placed: tasks of equal size, dealt to services in turn, spread over three zones.
type load struct {
	nodes, tasks, services int
	nodeCPU, nodeMemory    int64 // CPU units and MiB of a node
	taskCPU, taskMemory    int64
}

func (l load) zone(node int) string { return string(rune('a' + node%3)) }

func main() {
	nodes := flag.Int("nodes", 5000, "nodes")
	tasks := flag.Int("tasks", 100_000, "tasks")
	flag.Parse()
	if err := compare(context.Background(), *nodes, *tasks); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(ctx context.Context, nodes, tasks int) error {
	fmt.Printf("%d tasks on %d nodes in three zones, spread over zones and then nodes\n\n", tasks, nodes)
	fmt.Printf("%-10s  %14s  %14s  %14s  %12s  %12s\n", "services", "swarmkit/s", "decided/s", "with rows/s", "ratio", "with rows")
	for _, services := range []int{1, 100, tasks} {
		l := load{nodes: nodes, tasks: tasks, services: services, nodeCPU: 64 << 10, nodeMemory: 256 << 10, taskCPU: 256, taskMemory: 512}
		theirs, err := swarm(ctx, l)
		if err != nil {
			return err
		}
		decided, err := decide(l)
		if err != nil {
			return err
		}
		rows, err := place(ctx, l)
		if err != nil {
			return err
		}
		rate := func(d time.Duration) float64 { return float64(tasks) / d.Seconds() }
		fmt.Printf("%-10d  %14.0f  %14.0f  %14.0f  %11.0fx  %11.1fx\n", services, rate(theirs), rate(decided), rate(rows),
			rate(decided)/rate(theirs), rate(rows)/rate(theirs))
	}
	return nil
}
