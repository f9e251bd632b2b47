package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// report is what a container can say of its own surroundings.
type report struct {
	Args     []string
	Env      []string
	Dir      string
	UID, GID int
	Files    syscall.Rlimit // RLIMIT_NOFILE, whose soft bound Go raises by itself
	Size     syscall.Rlimit // RLIMIT_FSIZE
	Hostname string
	PID1     string // of this container's PID namespace
}

func look() report {
	r := report{Args: os.Args, Env: os.Environ(), UID: os.Getuid(), GID: os.Getgid()}
	sort.Strings(r.Env)
	r.Dir, _ = os.Getwd()
	r.Hostname, _ = os.Hostname()
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r.Files)
	_ = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &r.Size)
	cmdline, _ := os.ReadFile("/proc/1/cmdline")
	r.PID1 = string(cmdline)
	return r
}

// where prints the report as one line of JSON.
func where(string) error {
	b, err := json.Marshal(look())
	fmt.Println(string(b))
	return err
}

// procs prints the processes that can be seen: their numbers and names.
func procs(string) error {
	found, err := filepath.Glob("/proc/[0-9]*/comm")
	for _, name := range found {
		b, err := os.ReadFile(name)
		if err != nil { // it ended meanwhile
			continue
		}
		fmt.Printf("process %s %s\n", filepath.Base(filepath.Dir(name)), strings.TrimSpace(string(b)))
	}
	return err
}
