package network

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/roadstead/roadstead/acs"
	"github.com/roadstead/roadstead/agent/task"
)

// entry is the memory of one sandbox. It says what may exist, so it is written before and removed after. It is not
// synced to disk: what it speaks of does not survive the machine either, and a torn file is no sandbox.
type entry struct {
	TaskID    string         `json:"task"`
	Container string         `json:"container,omitempty"`
	Mode      string         `json:"mode"`
	IPv4      string         `json:"ipv4"`
	MAC       string         `json:"mac"`
	Gateway   string         `json:"gateway"`
	UserBase  uint32         `json:"userBase,omitempty"` // of the user namespace that owns it, 0 without one
	Bindings  []task.Binding `json:"bindings,omitempty"`
	Released  bool           `json:"released,omitempty"` // only its link may still exist
	// Redirection is to the task's proxy, nil without one.
	Redirection *acs.Redirection `json:"redirection,omitempty"`
}

func (e *entry) key() string { return sandboxKey(e.TaskID, e.Container) }

// name is unique on the node and a file name.
func (e *entry) name() string {
	if e.Container == "" {
		return e.TaskID
	}
	return e.TaskID + "-" + shortHash(e.TaskID, e.Container)
}

// link is the name of the veth's end on the bridge.
func (e *entry) link(bridge string) string { return "rv" + shortHash(bridge, e.TaskID, e.Container) }

func (e *entry) sandbox(m *netnsMaker) task.Sandbox {
	s := task.Sandbox{
		TaskID: e.TaskID, Container: e.Container, Mode: e.Mode, Path: m.path(e.name()),
		IPv4: e.IPv4, MAC: e.MAC, Gateway: e.Gateway, Bindings: slices.Clone(e.Bindings), UserBase: e.UserBase,
	}
	if e.UserBase > 0 {
		s.User = s.Path + userSuffix
	}
	return s
}

func (e *entry) published() published { return published{ip: e.IPv4, bindings: e.Bindings} }

func sandboxesDir(dir string) string { return filepath.Join(dir, "sandboxes") }

func (e *entry) file(dir string) string { return filepath.Join(sandboxesDir(dir), e.name()+".json") }

func (e *entry) save(dir string) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode sandbox: %w", err)
	}
	if err := os.WriteFile(e.file(dir)+".new", b, 0o600); err != nil {
		return fmt.Errorf("save sandbox: %w", err)
	}
	if err := os.Rename(e.file(dir)+".new", e.file(dir)); err != nil {
		return fmt.Errorf("save sandbox: %w", err)
	}
	return nil
}

func (e *entry) forget(dir string) error {
	if err := os.Remove(e.file(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget sandbox: %w", err)
	}
	return nil
}

// readEntries skips half-written files (nothing had been made yet, and save replaces them) and those that vanish.
func readEntries(dir string) ([]*entry, error) {
	files, err := fs.Glob(os.DirFS(sandboxesDir(dir)), "*.json")
	if err != nil {
		return nil, fmt.Errorf("list sandboxes: %w", err)
	}
	var out []*entry
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(sandboxesDir(dir), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read sandbox: %w", err)
		}
		var e entry
		if json.Unmarshal(b, &e) == nil && e.TaskID != "" {
			out = append(out, &e)
		}
	}
	return out, nil
}

// macOf is the interface's own, or one made of the address, so that neighbours need not learn a new one.
func macOf(eni *acs.ENI, ip netip.Addr) string {
	if eni != nil && eni.MACAddress != "" {
		return eni.MACAddress
	}
	b := ip.As4()
	return net.HardwareAddr{0x0a, 0x58, b[0], b[1], b[2], b[3]}.String()
}

func sortSandboxes(all []task.Sandbox) {
	slices.SortFunc(all, func(a, b task.Sandbox) int {
		return cmp.Or(cmp.Compare(a.TaskID, b.TaskID), cmp.Compare(a.Container, b.Container))
	})
}
