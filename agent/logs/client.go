package logs

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// KeeperConfig says where a keeper lives and how to start it.
type KeeperConfig struct {
	Dir     string       // its socket, lock and memory; on any file system, short-lived
	Command []string     // starts Main with Dir added
	Logger  *slog.Logger // default: slog.Default()
	// Patience is how long Run waits for the end of a keeper that it let go of; 0 means three seconds.
	Patience time.Duration
	// Ask is how often the keeper is asked whether lines were lost; 0 means each five seconds.
	Ask time.Duration
}

// Keeper is the agent's side of the keeper process: Run keeps one alive, Open and Close tell it what to read.
type Keeper struct {
	cfg    KeeperConfig
	inputs inputs
}

// NewKeeper makes the directory; Run starts the process.
func NewKeeper(cfg KeeperConfig) (*Keeper, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Patience = cmp.Or(cfg.Patience, 3*time.Second)
	cfg.Ask = cmp.Or(cfg.Ask, 5*time.Second)
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make keeper directory: %w", err)
	}
	return &Keeper{cfg: cfg}, nil
}

// Run adopts the directory's living keeper or starts one, replaces it when it dies, and lets go of it when ctx ends:
// it then serves the containers that still write and ends after them. Run returns when no containers are left and
// the process has ended, or its patience after ctx.
func (k *Keeper) Run(ctx context.Context) error {
	defer k.inputs.dropAll()
	for wait := time.Duration(0); ; {
		began := time.Now()
		err := k.attend(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if wait = min(2*wait+50*time.Millisecond, 2*time.Second); time.Since(began) > 10*time.Second {
			wait = 0
		}
		k.cfg.Logger.Warn("log keeper ended", "err", err, "retry", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// attend stays connected to one keeper, a new one if none answers, until it dies or ctx ends.
func (k *Keeper) attend(ctx context.Context) error {
	exited := make(chan error, 1)
	conn, err := dial(k.cfg.Dir, socketName)
	if err != nil {
		if err := k.spawn(exited); err != nil {
			return err
		}
		if conn, err = k.dialUntil(ctx, exited); err != nil {
			return err
		}
	} else {
		close(exited) // somebody else's child: its end shows on the connection only
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	k.inputs.holdAll(k.cfg.Dir)
	err = k.hear(conn)
	if ctx.Err() == nil {
		return errors.Join(errors.New("log keeper went away"), err)
	}
	select {
	case <-exited:
	case <-time.After(k.cfg.Patience): // containers still write: it stays for them
	}
	return nil
}

// spawn starts a keeper in a session of its own, so that no signal for the agent reaches it.
func (k *Keeper) spawn(exited chan<- error) error {
	out, err := os.OpenFile(filepath.Join(k.cfg.Dir, "keeper.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("open keeper's own log: %w", err)
	}
	defer out.Close()
	args := append(append([]string{}, k.cfg.Command[1:]...), k.cfg.Dir)
	cmd := exec.Command(k.cfg.Command[0], args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start log keeper: %w", err)
	}
	go func() { exited <- cmd.Wait() }() // ends with the process, which may outlive Run by design
	return nil
}

func (k *Keeper) dialUntil(ctx context.Context, exited <-chan error) (net.Conn, error) {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for {
		if conn, err := dial(k.cfg.Dir, socketName); err == nil {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case err := <-exited:
			return nil, fmt.Errorf("log keeper ended at start: %w", errors.Join(errors.New("see keeper.log"), err))
		case <-t.C:
		}
	}
}

// Open has the keeper read the fifos stdout and stderr ("" for none) of container id into the file path, and hold
// stdin ("" for none) open. The fifos must exist and path's directory too. It waits for a keeper that is starting.
func (k *Keeper) Open(ctx context.Context, id, stdin, stdout, stderr, path string) error {
	c := container{ID: id, Stdin: stdin, Stdout: stdout, Stderr: stderr, Path: path}
	k.inputs.hold(c) // first: the keeper may be killed as soon as it has answered
	err := k.call(ctx, request{Op: "open", container: c})
	if err != nil {
		k.inputs.drop(id)
	}
	return err
}

// Close ends the reading for a container that will not write any more, or never started. When it returns the file
// has all that the container wrote.
func (k *Keeper) Close(ctx context.Context, id string) error {
	err := k.call(ctx, request{Op: "close", container: container{ID: id}})
	if err == nil {
		k.inputs.drop(id)
	}
	return err
}

// PID is the process of the keeper that answers now, 0 for none.
func (k *Keeper) PID() int {
	conn, err := dial(k.cfg.Dir, socketName)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}

// Dial returns what connects to a Service of the keeper's.
func (k *Keeper) Dial(service string) func(context.Context) (net.Conn, error) {
	return func(context.Context) (net.Conn, error) { return dial(k.cfg.Dir, service+socketSuffix) }
}

func (k *Keeper) call(ctx context.Context, q request) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for {
		a, err := k.once(q)
		if err == nil {
			if a.Error != "" {
				return fmt.Errorf("%s log of %s: %s", q.Op, q.ID, a.Error)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s log of %s: %w", q.Op, q.ID, errors.Join(ctx.Err(), err))
		case <-t.C:
		}
	}
}

func (k *Keeper) once(q request) (response, error) {
	var a response
	conn, err := dial(k.cfg.Dir, socketName)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return a, err
	}
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return a, err
	}
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(line, &a)
}
