package network

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	userSuffix = ".user" // of the file of the user namespace beside its network's
	userCount  = 1 << 16
)

// TryUserNamespace says why the machine cannot make user namespaces, nil if it can.
func TryUserNamespace(base uint32) error {
	cmd := exec.Command("true")
	cmd.SysProcAttr = owned(base)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make user namespace: %w", err)
	}
	return nil
}

// owned makes a process in namespaces of its own.
func owned(base uint32) *syscall.SysProcAttr {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(base), Size: userCount}}
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
	}
}

// makeOwned makes a user namespace and a network namespace that it owns. Both are a process's for a moment: a cat that waits for
// its input, so that it ends with us.
func (m *netnsMaker) makeOwned(name string, base uint32) error {
	cmd := exec.Command("cat")
	cmd.SysProcAttr = owned(base)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("make user namespace: %w", err)
	}
	defer func() {
		_ = in.Close()
		_ = cmd.Wait() // it ends with its input, and with nothing to say
	}()
	for _, ns := range []struct{ kind, name string }{{"user", name + userSuffix}, {"net", name}} { // exists looks at the last one
		if err := touch(m.path(ns.name)); err != nil {
			return err
		}
		if err := unix.Mount(fmt.Sprintf("/proc/%d/ns/%s", cmd.Process.Pid, ns.kind), m.path(ns.name), "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount namespace: %w", err)
		}
	}
	return m.loopback(name)
}

// loopback sets the loopback of a namespace up.
func (m *netnsMaker) loopback(name string) error {
	done := make(chan error, 1)
	go func() { // see make
		runtime.LockOSThread()
		back, err := inNetns(m.path(name), loopbackUp)
		if back {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// inNetns runs fn in a network namespace; back says whether the thread is in its old one again.
func inNetns(path string, fn func() error) (back bool, err error) {
	old, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true, fmt.Errorf("open own namespace: %w", err)
	}
	defer unix.Close(old)
	ns, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true, fmt.Errorf("open namespace: %w", err)
	}
	defer unix.Close(ns)
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return true, errors.Join(errors.New("enter namespace"), err)
	}
	return comeBack(old, fn())
}
