package logs

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// A socket's path may have 107 bytes only, a data directory more: both sides reach it through /proc/self/fd.

func listen(dir, socket string) (l net.Listener, done func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open keeper directory: %w", err)
	}
	name := filepath.Join(dir, socket)
	os.Remove(name) // of a keeper that was killed: the lock says that none lives
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: socketAt(d, socket), Net: "unix"})
	if err != nil {
		d.Close()
		return nil, nil, fmt.Errorf("listen in %s: %w", dir, err)
	}
	u.SetUnlinkOnClose(false)
	return u, func() {
		os.Remove(name)
		d.Close()
	}, nil
}

func dial(dir, socket string) (net.Conn, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return net.Dial("unix", socketAt(d, socket))
}

func socketAt(dir *os.File, socket string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socket)
}
