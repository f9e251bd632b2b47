package volumes

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// mounting is what the local driver's options ask for: `mount -t type -o o device`.
type mounting struct {
	kind, device string
	flags        uintptr
	data         []string
}

// readOptions reads type, device and o, in Docker's meaning and words [D]; nil if there are none.
func readOptions(opts map[string]string) (*mounting, error) {
	if len(opts) == 0 {
		return nil, nil
	}
	for k := range opts {
		if !slices.Contains([]string{"type", "device", "o"}, k) {
			return nil, fmt.Errorf("invalid option: %q", k)
		}
	}
	m := &mounting{kind: opts["type"], device: opts["device"]}
	if m.device == "" {
		return nil, errors.New(`missing required option: "device"`)
	}
	for o := range strings.SplitSeq(opts["o"], ",") {
		f, known := mountFlags[o]
		switch host, isAddress := strings.CutPrefix(o, "addr="); {
		case o == "" || o == "defaults":
		case known && f.clear:
			m.flags &^= f.flag
		case known:
			m.flags |= f.flag
		case isAddress: // the kernel knows addresses only
			ip, err := net.ResolveIPAddr("ip", host)
			if err != nil {
				return nil, fmt.Errorf("resolve %s: %w", host, err)
			}
			m.data = append(m.data, "addr="+ip.String())
		default:
			m.data = append(m.data, o)
		}
	}
	if m.kind == "" && m.flags&unix.MS_BIND == 0 {
		return nil, errors.New(`missing required option: "type"`)
	}
	return m, nil
}

type mountFlag struct {
	clear bool
	flag  uintptr
}

var mountFlags = map[string]mountFlag{ //nolint:gochecknoglobals // a constant table
	"ro": {false, unix.MS_RDONLY}, "rw": {true, unix.MS_RDONLY},
	"nosuid": {false, unix.MS_NOSUID}, "suid": {true, unix.MS_NOSUID},
	"nodev": {false, unix.MS_NODEV}, "dev": {true, unix.MS_NODEV},
	"noexec": {false, unix.MS_NOEXEC}, "exec": {true, unix.MS_NOEXEC},
	"sync": {false, unix.MS_SYNCHRONOUS}, "async": {true, unix.MS_SYNCHRONOUS}, "dirsync": {false, unix.MS_DIRSYNC},
	"noatime": {false, unix.MS_NOATIME}, "atime": {true, unix.MS_NOATIME},
	"nodiratime": {false, unix.MS_NODIRATIME}, "diratime": {true, unix.MS_NODIRATIME},
	"relatime": {false, unix.MS_RELATIME}, "strictatime": {false, unix.MS_STRICTATIME},
	"bind": {false, unix.MS_BIND}, "rbind": {false, unix.MS_BIND | unix.MS_REC},
}

// at mounts at a directory, unless something is mounted there. What an earlier mount was filled with from an image is gone.
func (m *mounting) at(dir string) error {
	mounted, err := isMounted(dir)
	if err != nil || mounted {
		return err
	}
	if err := os.RemoveAll(dir + ".seeded"); err != nil {
		return err
	}
	if err := unix.Mount(m.device, dir, m.kind, m.flags, strings.Join(m.data, ",")); err != nil {
		return fmt.Errorf("failed to mount local volume: mount %s:%s: %w", m.device, dir, err) // Docker's words
	}
	const settable = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if m.flags&unix.MS_BIND == 0 || m.flags&settable == 0 {
		return nil
	}
	if err := unix.Mount("", dir, "", m.flags&^unix.MS_REC|unix.MS_REMOUNT, ""); err != nil { // the first call ignores them
		return errors.Join(fmt.Errorf("remount local volume: %w", err), unmount(dir))
	}
	return nil
}

// unmount succeeds where nothing is mounted.
func unmount(dir string) error {
	for {
		mounted, err := isMounted(dir)
		if err != nil || !mounted {
			return err
		}
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
}

// isMounted takes a path from mountName on.
func isMounted(dir string) (bool, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, fmt.Errorf("read mounts: %w", err)
	}
	defer f.Close()
	want := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(dir)
	in := bufio.NewScanner(f)
	for in.Scan() {
		if fields := strings.Fields(in.Text()); len(fields) > 4 && fields[4] == want {
			return true, nil
		}
	}
	return false, in.Err()
}

// mountName is the path by which the kernel lists what is mounted at a directory, or below: absolute, and without symbolic links.
// By another one a mount would not be found, and what is mounted would be removed with the directory.
func mountName(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}
