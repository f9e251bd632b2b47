package sim_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/model"
	"github.com/roadstead/roadstead/server"
	"github.com/roadstead/roadstead/state"
	"github.com/roadstead/roadstead/state/statetest"
	"github.com/roadstead/roadstead/test/fleet"
)

const (
	region  = "us-east-1"
	account = "000000000000"
	cluster = "default"
	pool    = "pool" // the cluster of the nodes that take FARGATE tasks
)

// world is everything inside the bubble.
type world struct {
	*testing.T
	seed    uint64
	dir     string
	log     *slog.Logger
	net     *cables
	store   *state.Memory
	members []*member
	nodes   []*node
	ledger  *ledger
	wishes  *wishes
	callers []*caller
	calls   sync.WaitGroup // storms under way

	faults atomic.Int64 // of a thousand commits, how many fail
	delay  atomic.Int64 // a commit takes up to so long, in ns
}

// member is one member of the control plane, which may be down.
type member struct {
	w    *world
	name string // its address
	rng  *rand.Rand
	s    *server.Server
	stop context.CancelFunc // nil while it is down
	done chan struct{}
}

func (m *member) url() string { return "http://" + m.name }

// start runs the member on the store.
func (m *member) start() {
	if m.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(m.w.Context()))
	peers := &http.Transport{DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return m.w.net.dial(ctx, m.name, addr) }}
	s, err := server.Open(ctx, server.Config{
		DataDir: m.w.dir + "/" + m.name, Advertise: m.url(), Region: region, Account: account, RootKeyID: "test", RootSecret: "test",
		Dev: true, Log: m.w.log, Backend: m.backend(), Listener: m.w.net.listen(m.name), Peers: peers,
	})
	if err != nil {
		m.w.Fatal(err)
	}
	m.s, m.stop, m.done = s, cancel, make(chan struct{})
	watched := make(chan struct{})
	go func() { m.w.ledger.watch(ctx, m.name, s.DB()); close(watched) }()
	go func() {
		defer close(m.done)
		if err := s.Run(ctx); err != nil {
			m.w.ledger.breach("member %s ended: %v", m.name, err)
		}
		peers.CloseIdleConnections()
		<-watched
	}()
}

// halt ends the member.
func (m *member) halt() {
	if m.stop == nil {
		return
	}
	m.stop()
	<-m.done
	m.stop = nil
}

// backend is the member's way to the store: it takes its time, and fails as often as the world wants it to.
func (m *member) backend() state.Backend {
	var mu sync.Mutex
	kinds := statetest.CommitFaults()
	draw := func() float64 { mu.Lock(); defer mu.Unlock(); return m.rng.Float64() }
	return &disk{draw: draw, w: m.w, Backend: statetest.NewFaulty(m.w.store.Member(), func(call string) statetest.Fault {
		chance := float64(m.w.faults.Load()) / 1000
		if call != "commit" { // a watch is asked of every batch, and its fault is a reload
			chance /= 20
		}
		if draw() >= chance {
			return statetest.None
		}
		switch call {
		case "commit":
			return kinds[int(draw()*float64(len(kinds)))]
		case "campaign":
			return statetest.Unavailable
		default:
			return []statetest.Fault{statetest.Compacted, statetest.Unavailable}[int(draw()*2)]
		}
	})}
}

// disk is a backend whose commits take time.
type disk struct {
	state.Backend
	w    *world
	draw func() float64
}

func (d *disk) Commit(ctx context.Context, t state.Term, seq int64, pairs []state.Pair) (int64, error) {
	select {
	case <-time.After(time.Duration(d.draw() * float64(d.w.delay.Load()))):
	case <-ctx.Done():
	}
	return d.Backend.Commit(ctx, t, seq, pairs)
}

// node is a simulated node and the process on it.
type node struct {
	*fleet.Node
	stop context.CancelFunc // nil while its agent is dead
	done chan struct{}
}

func (n *node) start(t *testing.T) {
	if n.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	n.stop, n.done = cancel, make(chan struct{})
	go func() { defer close(n.done); n.Run(ctx) }()
}

func (n *node) kill() {
	if n.stop == nil {
		return
	}
	n.stop()
	<-n.done
	n.stop = nil
}

// newWorld starts three members and the nodes, and registers the task definitions.
func newWorld(t *testing.T, seed uint64, nodes int) *world {
	w := &world{T: t, seed: seed, dir: t.TempDir(), log: slog.New(slog.DiscardHandler), net: newCables(), store: state.NewMemory()}
	if *verbose {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	w.ledger, w.wishes = newLedger(), &wishes{all: map[string]*wish{}}
	w.delay.Store(int64(2 * time.Millisecond))
	for i := range 3 {
		m := &member{w: w, name: fmt.Sprintf("m%d:4566", i+1), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		w.members = append(w.members, m)
		m.start()
	}
	t.Cleanup(w.end)
	if err := w.leader().s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, m := range w.members {
		w.callers = append(w.callers, newCaller(w, fmt.Sprint("caller", i+1), m.url()))
	}
	for _, d := range definitions() {
		w.callers[0].must("RegisterTaskDefinition", d, nil)
	}
	w.callers[0].must("CreateCluster", map[string]string{"clusterName": pool}, nil)
	for _, p := range providers() {
		w.callers[0].must("CreateCapacityProvider", p, nil)
	}
	w.callers[0].must("PutClusterCapacityProviders", map[string]any{"cluster": cluster, "capacityProviders": []string{"blue", "spot"},
		"defaultCapacityProviderStrategy": []any{}}, nil)
	token := w.leader().joinToken()
	cfg := fleet.Config{Token: token, Cluster: cluster, Dial: w.net.dial, Life: lives, Log: w.log}
	for _, m := range w.members {
		cfg.Endpoints = append(cfg.Endpoints, m.url())
	}
	for i := range nodes {
		m := machineOf(seed, i)
		if cfg.Cluster = cluster; m.Attributes[model.PoolAttribute] == model.FargatePool {
			cfg.Cluster = pool
		}
		n, err := fleet.New(cfg, m)
		if err != nil {
			t.Fatal(err)
		}
		w.nodes = append(w.nodes, &node{Node: n})
		w.nodes[i].start(t)
	}
	return w
}

// machineOf is the i-th node's machine: three sizes and three zones, some with GPUs, each with a small subnet of its own; one in
// seven takes FARGATE tasks and nothing else.
func machineOf(seed uint64, i int) fleet.Machine {
	m := fleet.Machine{
		Name: fmt.Sprintf("n%04d", i+1), Zone: region + string(rune('a'+i%3)), CPU: 1024 << (i % 3), Memory: 2048 << (i % 3),
		Subnet: fmt.Sprintf("10.%d.%d.%d/28", i>>12&255, i>>4&255, i&15*16), Seed: seed<<16 + uint64(i),
	}
	m.Attributes = map[string]string{model.PoolAttribute: []string{poolBlue, poolSpot, ""}[i%5%3]}
	if i%7 == 3 {
		m.Attributes = map[string]string{model.PoolAttribute: model.FargatePool, model.FargateAttribute: "true"}
	}
	if i%4 == 0 {
		m.GPUs = []string{"gpu-0", "gpu-1"}
	}
	return m
}

// leader waits until a member leads and returns it.
func (w *world) leader() *member {
	for {
		for _, m := range w.members {
			if m.stop != nil && m.s.DB().Leading() {
				return m
			}
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (m *member) joinToken() acs.JoinToken {
	text, err := m.s.JoinToken(m.w.Context(), account)
	if err != nil {
		m.w.Fatal(err)
	}
	token, err := acs.ParseJoinToken(text)
	if err != nil {
		m.w.Fatal(err)
	}
	return token
}

// end stops everything; a second time it does nothing.
func (w *world) end() {
	w.calls.Wait()
	for _, n := range w.nodes {
		if n.stop != nil {
			n.stop()
		}
	}
	for _, n := range w.nodes {
		n.kill()
	}
	for _, m := range w.members {
		m.halt()
	}
	for _, c := range w.callers {
		c.close()
	}
	<-time.After(time.Second) // a request that waits for a leader outlives its member by a moment
}
