package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findGPUs are the node's GPUs by id, each with the device files that a container needs to use it. set says them in the
// operator's words, "ID=/dev/a,/dev/b"; without any, those of NVIDIA's driver are found below root ("/").
func findGPUs(root string, set []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, entry := range set {
		id, paths, ok := strings.Cut(entry, "=")
		if !ok || id == "" || paths == "" {
			return nil, fmt.Errorf("GPU %q: say ID=DEVICE[,DEVICE...]", entry)
		}
		out[id] = strings.Split(paths, ",")
	}
	if len(set) > 0 {
		return out, nil
	}
	found, err := filepath.Glob(filepath.Join(root, "proc/driver/nvidia/gpus/*/information"))
	if err != nil {
		return nil, err
	}
	for _, file := range found {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("look at GPU: %w", err)
		}
		facts := map[string]string{}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			facts[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
		id, minor := facts["GPU UUID"], facts["Device Minor"]
		if id == "" || minor == "" {
			continue
		}
		devices := []string{"/dev/nvidia" + minor}
		for _, shared := range []string{"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"} {
			if _, err := os.Stat(filepath.Join(root, shared)); err == nil {
				devices = append(devices, shared)
			}
		}
		out[id] = devices
	}
	return out, nil
}

// readEFS reads the operator's "fs-12345=/srv/data", or a directory of file systems as it is, under "".
func readEFS(set []string) (map[string]string, error) {
	out := map[string]string{}
	for _, entry := range set {
		id, dir, ok := strings.Cut(entry, "=")
		if !ok {
			id, dir = "", entry
		}
		if !filepath.IsAbs(dir) || ok && id == "" {
			return nil, fmt.Errorf("EFS %q: say ID=/DIRECTORY, or the /DIRECTORY whose subdirectories are called as the file systems", entry)
		}
		out[id] = dir
	}
	return out, nil
}
