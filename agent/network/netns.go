package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// netnsMaker keeps named network namespaces: bind mounts in one directory.
type netnsMaker struct{ dir string }

func newNetnsMaker(dir string) (*netnsMaker, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find namespace directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make namespace directory: %w", err)
	}
	return &netnsMaker{dir}, nil
}

func (m *netnsMaker) path(name string) string { return filepath.Join(m.dir, name) }

// exists says whether name is a namespace rather than nothing, or the empty file that it will be mounted on.
func (m *netnsMaker) exists(name string) bool {
	var s unix.Statfs_t
	return unix.Statfs(m.path(name), &s) == nil && s.Type == unix.NSFS_MAGIC
}

// make makes a namespace with its loopback up, if there is none of that name. With a base it is owned by a user namespace.
func (m *netnsMaker) make(name string, base uint32) error {
	if m.exists(name) {
		return nil
	}
	if base > 0 {
		return m.makeOwned(name, base)
	}
	if err := touch(m.path(name)); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { // a goroutine of its own, so that a thread that cannot come back dies with it
		runtime.LockOSThread()
		back, err := inNewNetns(func() error {
			if err := unix.Mount("/proc/thread-self/ns/net", m.path(name), "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("mount namespace: %w", err)
			}
			return loopbackUp()
		})
		if back {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

func touch(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return fmt.Errorf("make namespace file: %w", err)
	}
	return f.Close()
}

// inNewNetns runs fn in a new network namespace; back says whether the thread is in its old one again.
func inNewNetns(fn func() error) (back bool, err error) {
	old, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true, fmt.Errorf("open own namespace: %w", err)
	}
	defer unix.Close(old)
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return true, fmt.Errorf("unshare namespace: %w", err)
	}
	return comeBack(old, fn())
}

// comeBack returns the thread to its old namespace after what it did elsewhere.
func comeBack(old int, err error) (bool, error) {
	if serr := unix.Setns(old, unix.CLONE_NEWNET); serr != nil {
		return false, errors.Join(err, fmt.Errorf("return to own namespace: %w", serr))
	}
	return true, err
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("set loopback up: %w", err)
	}
	return nil
}

// remove takes the name away; the kernel removes the namespace with its links when the last process has left it.
func (m *netnsMaker) remove(name string) error {
	return errors.Join(m.removeOne(name), m.removeOne(name+userSuffix))
}

func (m *netnsMaker) removeOne(name string) error {
	for m.exists(name) { // one that was mounted twice, too
		if err := unix.Unmount(m.path(name), unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount namespace: %w", err)
		}
	}
	if err := os.Remove(m.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove namespace: %w", err)
	}
	return nil
}

// close removes all that is in the directory.
func (m *netnsMaker) close() error {
	files, err := os.ReadDir(m.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		err = errors.Join(err, m.removeOne(f.Name()))
	}
	return err
}
