package logs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// inputs are the containers' stdin fifos as the agent holds them open, too: when the keeper is killed, a container would read the end
// of its input, and nothing takes that back. So each of the two outlives the other's end.
type inputs struct {
	mu   sync.Mutex
	held map[string]*os.File // by container id; guarded by mu
}

// hold opens a container's fifo, unless it is held. One that is gone, with its container, is not missed.
func (i *inputs) hold(c container) {
	if c.Stdin == "" {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held[c.ID] != nil {
		return
	}
	f, err := os.OpenFile(c.Stdin, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	if i.held == nil {
		i.held = map[string]*os.File{}
	}
	i.held[c.ID] = f
}

// holdAll holds what a keeper remembers: containers of an earlier agent.
func (i *inputs) holdAll(dir string) {
	entries, _ := os.ReadDir(filepath.Join(dir, streamsName))
	for _, e := range entries {
		var c container
		if b, err := os.ReadFile(filepath.Join(dir, streamsName, e.Name())); err == nil && json.Unmarshal(b, &c) == nil {
			i.hold(c)
		}
	}
}

func (i *inputs) drop(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.held[id]; f != nil {
		f.Close()
		delete(i.held, id)
	}
}

func (i *inputs) dropAll() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, f := range i.held {
		f.Close()
	}
	clear(i.held)
}
