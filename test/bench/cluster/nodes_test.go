//go:build bench || e2e

package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/test/fleet"
)

// runNodes is the process of the nodes: URL TOKEN NODES LATENCY.
func runNodes(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	token, err := acs.ParseJoinToken(args[1])
	n, numberErr := strconv.Atoi(args[2])
	start, durationErr := time.ParseDuration(args[3])
	if err != nil || numberErr != nil || durationErr != nil {
		fmt.Fprintln(os.Stderr, "usage: URL TOKEN NODES LATENCY")
		return 2
	}
	cfg := fleet.Config{
		Endpoints: []string{args[0]}, Token: token, Cluster: "default", Dial: dialFrom,
		Life: func(*acs.Task, *rand.Rand) fleet.Life { return fleet.Life{Start: start} },
	}
	debug.SetGCPercent(400) // what the nodes cost is not what is measured
	fmt.Println("started")
	var wg sync.WaitGroup
	for i := range n {
		node, err := fleet.New(cfg, fleet.Machine{
			Name: fmt.Sprintf("n%05d", i), Zone: region + string(rune('a'+i%3)), CPU: 1 << 20, Memory: 1 << 20,
			Subnet: fmt.Sprintf("10.%d.%d.0/24", i>>8, i&255), Seed: uint64(i),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		wg.Go(func() { node.Run(ctx) })
	}
	wg.Wait()
	return 0
}

// dialFrom gives each node an address of its own, for one address has not ports enough for all.
func dialFrom(ctx context.Context, node, addr string) (net.Conn, error) {
	i, err := strconv.Atoi(node[1:])
	if err != nil {
		return nil, err
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, byte(i>>8), byte(i))}}
	return d.DialContext(ctx, "tcp", addr)
}
