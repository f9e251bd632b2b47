package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// killAt is the environment variable with which a test has a process killed at a point of a task's life, as a power cut or the
// kernel could do at any time: WHO:POINT[#N][+DELAY], where WHO is agent, containerd or keeper, POINT as in task.Config.Reached and
// runtime.Config.Reached, N the time that it is reached, the first if not given. "agent:create.begin#2+20ms".
const killAt = "ROADSTEAD_TEST_KILL_AT"

// killPoint waits for a point. A nil one waits for nothing.
type killPoint struct {
	point string
	left  atomic.Int64 // times that it is still to be reached
	after time.Duration
	kill  func()
}

// newKillPoint reads the variable's value; without one there is none.
func newKillPoint(text string, kill func(who string)) (*killPoint, error) {
	if text == "" {
		return nil, nil
	}
	who, rest, _ := strings.Cut(text, ":")
	rest, delay, late := strings.Cut(rest, "+")
	point, nth, counted := strings.Cut(rest, "#")
	k := &killPoint{point: point, kill: func() { kill(who) }}
	n, err := 1, error(nil)
	if counted {
		n, err = strconv.Atoi(nth)
	}
	if late && err == nil {
		k.after, err = time.ParseDuration(delay)
	}
	if err != nil || point == "" || who != "agent" && who != "containerd" && who != "keeper" {
		return nil, fmt.Errorf("%s=%s: want WHO:POINT[#N][+DELAY]", killAt, text)
	}
	k.left.Store(int64(n))
	return k, nil
}

func (k *killPoint) reached(point string) {
	if k == nil || point != k.point || k.left.Add(-1) != 0 {
		return
	}
	if k.after > 0 {
		time.AfterFunc(k.after, k.kill)
		return
	}
	k.kill()
}

// killNow kills the agent, so that it does not return, or the node's own containerd, or its log keeper.
func (a *Agent) killNow(who string) {
	pid := os.Getpid()
	switch {
	case who == "keeper":
		pid = a.keeper.PID()
	case who == "containerd" && a.daemon != nil:
		pid = a.daemon.PID()
	}
	if pid == 0 { // 0 would be all of our group
		a.cfg.Log.Error("nobody to kill", "who", who)
		return
	}
	a.cfg.Log.Warn("killed by "+killAt, "who", who)
	if err := os.WriteFile(filepath.Join(a.cfg.DataDir, "killed"), []byte(who), 0o600); err != nil {
		a.cfg.Log.Error("say that it was killed", "err", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		a.cfg.Log.Error("kill", "who", who, "err", err)
	}
	if who == "agent" {
		select {}
	}
}
