package logs

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// What is lost because a container's log has no room for it is said in the keeper's own log when the container has ended, and in the agent's
// as it happens. The agent asks, so that a keeper without one goes on as it is: what was not told waits for the next agent.

// lossEvery is how long a container that loses lines is not spoken of again. What it lost meanwhile is said together.
const lossEvery = time.Minute

// loss is lines that a container has lost.
type loss struct {
	ID    string `json:"id"`
	Lines int64  `json:"lines"` // records: one that is longer than MaxLine is several
	Bytes int64  `json:"bytes"` // as the log would have had them
}

func (l *loss) add(o loss) {
	l.Lines += o.Lines
	l.Bytes += o.Bytes
}

// untold are losses that no agent has heard of, of containers that have ended. Guarded by keeper.mu.
type untold map[string]loss

func (u untold) add(all ...loss) {
	for _, l := range all {
		if l.Lines > 0 {
			sum := u[l.ID]
			sum.ID = l.ID
			sum.add(l)
			u[l.ID] = sum
		}
	}
}

// untoldName is the file of what a keeper had not told when it ended.
const untoldName = "untold"

// take is what a container has lost since it was last taken.
func (o *openLog) take(id string) loss {
	l := o.sink.lost()
	l.ID = id
	o.lost.add(l)
	return l
}

// losses are what an agent is to be told now.
func (k *keeper) losses(now time.Time) []loss {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, o := range k.open {
		if now.Sub(o.told) < lossEvery {
			continue
		}
		if l := o.take(id); l.Lines > 0 {
			o.told = now
			k.untold.add(l)
		}
	}
	var all []loss
	for _, l := range k.untold {
		all = append(all, l)
	}
	clear(k.untold)
	slices.SortFunc(all, func(a, b loss) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// keep takes losses back whose agent has gone away.
func (k *keeper) keep(all []loss) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.untold.add(all...)
}

// leave writes down what was not told, for the next keeper.
func (k *keeper) leave() error {
	all := k.losses(time.Now())
	if len(all) == 0 {
		return nil
	}
	b, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(filepath.Join(k.dir, untoldName), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("remember what was lost: %w", err)
	}
	return nil
}

// inherit takes what an earlier keeper had not told.
func (k *keeper) inherit() {
	file := filepath.Join(k.dir, untoldName)
	var all []loss
	if b, err := os.ReadFile(file); err != nil || json.Unmarshal(b, &all) != nil {
		return
	}
	k.keep(all)
	os.Remove(file)
}

// hear says in the agent's log what the keeper tells, until the connection ends.
func (k *Keeper) hear(conn net.Conn) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	ended := make(chan struct{})
	defer close(ended)
	defer conn.Close()
	asking.Go(func() {
		t := time.NewTicker(k.cfg.Ask)
		defer t.Stop()
		for out := json.NewEncoder(conn); out.Encode(request{Op: "losses"}) == nil; {
			select {
			case <-t.C:
			case <-ended:
				return
			}
		}
	})
	for in := json.NewDecoder(conn); ; {
		var a response // an error is of a keeper from before this, which lives as long as its containers
		if err := in.Decode(&a); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		for _, l := range a.Lost {
			k.cfg.Logger.Warn("log lines are lost: there was no room for them", "container", l.ID, "lines", l.Lines, "bytes", l.Bytes)
		}
	}
}
