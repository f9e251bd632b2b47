package access

import (
	"errors"
	"sync"

	"github.com/roadstead/roadstead/policy"
)

// maxCompiled bounds the memory for parsed policies. When it is full it starts anew: those in use come back.
const maxCompiled = 4096

// compiled remembers parsed policies by their text, so that one is parsed once for as long as it stands in a row.
type compiled struct {
	mu    sync.RWMutex
	known map[document]*policy.Policy // guarded by mu
}

type document struct {
	kind       policy.Kind
	name, text string
}

func (c *compiled) get(kind policy.Kind, name, text string) (*policy.Policy, error) {
	key := document{kind, name, text}
	c.mu.RLock()
	p, ok := c.known[key]
	c.mu.RUnlock()
	if ok {
		return p, nil
	}
	p, err := policy.Parse(kind, name, text)
	if err != nil { // it was checked when it was stored: no refusal, but a fault of ours
		return nil, errors.New("read the policy " + name + ": " + err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCompiled {
		c.known = make(map[document]*policy.Policy)
	}
	c.known[key] = p
	return p, nil
}
