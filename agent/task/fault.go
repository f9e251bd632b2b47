package task

import (
	"net/netip"
	"time"
)

// Kinds of faults that a task may ask its node for (AGENT-PROTOCOL §4.2).
const (
	FaultBlackhole  = "network-blackhole-port"
	FaultLatency    = "network-latency"
	FaultPacketLoss = "network-packet-loss"
)

// Fault is trouble that a task asks for in its own network, to see how it bears it.
type Fault struct {
	Kind string
	// Of a black hole: packets to the port are lost, those that come ("ingress") or go ("egress").
	Port     uint16
	Protocol string // tcp or udp
	Traffic  string
	// Of latency and loss: the addresses to which packets are held up or lost.
	Sources []netip.Prefix
	Delay   time.Duration
	Jitter  time.Duration
	Percent uint32 // of packets that are lost, 1 to 100
	// Except are addresses that are left alone.
	Except []netip.Prefix
}
