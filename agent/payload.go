package agent

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/roadstead/roadstead/acs"
)

// roomLook is the time between two tries to take a payload for which the disk has no room.
const roomLook = time.Second

// take has the engine take a payload's tasks, and acknowledges them. A payload that cannot be taken is not acknowledged, and the control
// plane sends it again half a minute later, with all that has come meanwhile. One that there is no room for is tried again until
// then: somebody may make room at any time.
func (l *link) take(ctx context.Context, conn *acs.Conn, id identity, m *acs.PayloadMessage) error {
	l.dropLate()
	acknowledge := func(ctx context.Context) error {
		if err := conn.Send(ctx, acs.AckRequest{Cluster: id.Cluster, ContainerInstance: id.Arn, MessageID: m.MessageID}); err != nil {
			return err
		}
		return acknowledgeRoles(ctx, conn, m)
	}
	err := l.engine.Accept(ctx, m.Tasks)
	if err == nil {
		return acknowledge(ctx)
	}
	l.log.Error("take a payload", "tasks", len(m.Tasks), "err", err)
	if !noRoom(err) {
		return nil
	}
	engine := l.engine // a reset replaces it
	ctx, l.stopLate = context.WithCancel(ctx)
	l.late.Go(func() {
		if awaitRoom(ctx, func() error { return engine.Accept(ctx, m.Tasks) }) {
			_ = acknowledge(ctx) // a connection that has broken tells the one who reads from it
		}
	})
	return nil
}

// dropLate gives the payload up that waits for room, and returns when nobody works at it any more.
func (l *link) dropLate() {
	if l.stopLate != nil {
		l.stopLate()
		l.stopLate = nil
	}
	l.late.Wait()
}

// awaitRoom calls what needs room on the disk until it succeeds; false: ctx ended first, or it failed for another reason.
func awaitRoom(ctx context.Context, call func() error) bool {
	tick := time.NewTicker(roomLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if err := call(); err == nil || !noRoom(err) {
			return err == nil
		}
	}
}

func noRoom(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
