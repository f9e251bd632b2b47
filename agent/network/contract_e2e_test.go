//go:build e2e

package network_test

import (
	"context"
	"testing"

	"github.com/roadstead/roadstead/agent/network"
	"github.com/roadstead/roadstead/agent/task"
	"github.com/roadstead/roadstead/agent/task/tasktest"
)

func TestContract(t *testing.T) {
	cfg := config(t)
	var last *network.Network
	tasktest.RunNetwork(t, func(t *testing.T) task.Network {
		n, err := network.New(context.Background(), cfg)
		must(t, err)
		last = n
		return n
	}, "bridge", "awsvpc", "host", "none")
	tidy(t, last, cfg)
}
